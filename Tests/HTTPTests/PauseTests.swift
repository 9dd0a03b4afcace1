// When a connection is not read: while its output is full, or the requests in memory are too many,
// and that it is read again.
import API
import Base
import HTTP
import NIOCore
import NIOEmbedded
import Testing

@Suite struct PauseTests {
    @Test func readingStopsWhileOutputIsBlocked() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let reads = ReadCounter()
        try client.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        client.channel.read()
        try client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(reads.count == 1)
        client.channel.isWritable = false
        client.channel.read()
        client.channel.read()
        #expect(reads.count == 1)
        #expect(harness.front.counters.connectionsPaused == 1)
        client.setWritable(true)
        #expect(reads.count == 2)
        #expect(harness.front.counters.connectionsPaused == 0)
        client.channel.isWritable = false
        client.channel.read()
        try client.vanish()
        #expect(harness.front.counters.connectionsPaused == 0)
        #expect(harness.front.counters.pauses == 2)
    }

    /// The bounds are a node's: more cores do not hold more, until a share is two bodies.
    @Test(arguments: [1, 2, 8, 64]) func coresShareTheBoundsOnBytes(cores: Int) {
        let settings = FrontSettings(connections: 1, cores: cores)
        for share in [settings.requestBytes, settings.responseBytes] {
            #expect(share == max(32 << 20, (256 << 20) / cores))
        }
        #expect(Limits.requestBytes == 256 << 20 && Limits.responseBytes == 256 << 20)
    }

    @Test(arguments: [1, 4])
    func readingStopsWhileRequestsTakeTooMuchMemory(cores: Int) throws {
        let harness = FrontHarness(FrontSettings(connections: 100, cores: cores))
        let megabyte = Bytes(repeating: 1, count: 1 << 20)
        var uploads: [EmbeddedClient] = []
        while harness.front.counters.requestBytesHeld < Limits.requestBytes / cores {
            let client = try harness.connect()
            try client.send(
                "PUT /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777216\r\n\r\n")
            for _ in 0..<16 { try client.send(megabyte) }
            uploads.append(client)
        }
        let client = try harness.connect()
        let reads = ReadCounter()
        try client.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        try client.send("PUT /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n")
        client.channel.read()
        #expect(reads.count == 0)
        harness.core.release([0])
        #expect(reads.count == 1)
        for upload in uploads { try upload.vanish() }
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    /// The output was full first, and when it was not, memory was short.
    @Test func aConnectionThatWaitedForItsOutputThenWaitsForMemory() throws {
        let harness = FrontHarness(FrontSettings(connections: 100, cores: 8))
        let client = try harness.connect()
        let reads = ReadCounter()
        try client.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        try client.send("PUT /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n")
        client.setWritable(false)
        client.channel.read()
        #expect(reads.count == 0)
        var uploads: [EmbeddedClient] = []
        while harness.front.counters.requestBytesHeld < Limits.requestBytes / 8 {
            let client = try harness.connect()
            try client.send(
                "PUT /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777216\r\n\r\n")
            try client.send(Bytes(repeating: 1, count: 16 << 20))
            uploads.append(client)
        }
        client.setWritable(true)
        #expect(reads.count == 0)
        harness.core.release([0])
        #expect(reads.count == 1)
        for upload in uploads { try upload.vanish() }
    }

    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }
}
