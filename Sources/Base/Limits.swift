/// Every limit, in one place, with its unit and the reason for its size.
///
/// `GET /v1/limits` shows the ones a client can run into. *Frozen* ones are part of a format on
/// disk or on the wire; the others may change with any release.
package enum Limits {
    // MARK: What a client may send (rest-api.md §2.10)

    /// Bytes of a key, decoded. Small enough that a thousand keys fit a page and an index block
    /// stays useful.
    package static let keyBytes = 4 << 10
    /// Bytes of a value, decoded. What exceeds it belongs in an object store.
    package static let valueBytes = 4 << 20
    /// Bytes of a request's body as sent: one value in base64, or a batch of many.
    package static let bodyBytes = 16 << 20
    /// Operations in one batch or transaction: bounds the time one request holds a core.
    package static let operationsPerBatch = 10_000
    /// Keys that one request deletes by their range: it happens at once or not at all, so all of it
    /// is in memory as one batch, and others wait while it is written.
    package static let keysPerRangeDelete = 100_000
    /// Bytes of those keys.
    package static let keyBytesPerRangeDelete = 16 << 20
    /// Bytes of a batch's answer from which on values are left out: ten thousand reads of a large
    /// value are a request of a few kilobytes and would be an answer of many gigabytes.
    package static let batchAnswerBytes = 16 << 20
    /// Entries on one page of a scan.
    package static let entriesPerPage = 10_000
    /// Entries on a page when the client names no limit.
    package static let entriesPerPageDefault = 1_000
    /// Bytes of keys and values on one page of a scan.
    package static let bytesPerPage = 4 << 20
    /// Bytes of a request target (path and query): a 4 KiB key percent-encoded, three bytes for
    /// each, and room.
    package static let targetBytes = 16 << 10
    /// Levels of objects and arrays in a JSON body; no request of the contract needs more than
    /// four.
    package static let jsonDepth = 16
    /// Bytes of JSON for which a thread keeps its parser's buffers (about eleven times that size).
    package static let jsonWorkspaceBytes = 256 << 10
    /// Longest time to live, in seconds: a hundred years; past it a mistake of units is likelier
    /// than a wish.
    package static let timeToLiveSecondsMax: UInt64 = 100 * 365 * 86_400
    /// Longest request time-out that a client may ask for.
    package static let requestTimeoutMax = Duration.seconds(600)
    /// A request's time-out when the client names none.
    package static let requestTimeoutDefault = Duration.seconds(30)

    /// Bytes of an answer that may be sent in gzip. Below, header fields and the packet they leave
    /// in weigh as much as what is saved; above, compressing would hold up everybody else on the
    /// loop: at 128 KiB for 0.9 ms if it is text, 2.5 at worst.
    package static let gzipBytes = 1 << 10...128 << 10

    /// What a body in gzip may become: so many times what was sent, which JSON seldom does, and in
    /// any case so many bytes, 5 ms of the loop. Without it 16 KiB hold a loop for 75 ms.
    package static let gunzipGrowth = 64
    package static let gunzipBytesAlways = 1 << 20

    // MARK: What a connection may do (reliability.md §4)

    /// Bytes of all header fields of one request, names and values.
    package static let headerBytes = 32 << 10
    /// A head below it is not counted among the bytes of requests: there are no more of them than
    /// streams, and nearly every request has one.
    package static let smallHeadBytes = 1 << 10
    /// Header fields of one request.
    package static let headerFields = 100
    /// Streams open at once on one HTTP/2 connection.
    package static let streamsPerConnection = 100
    /// Requests of one HTTP/1.1 connection read ahead of their answers.
    package static let pipelinedRequests = 64
    /// Connections open at once on one node.
    package static let connections = 20_000
    /// Log lines of one core about requests that never reached it, in a second: enough to see what
    /// a client does wrong, and a few kilobytes at most.
    package static let refusalLinesPerSecond = 20
    /// From the first byte of a request's head to its last.
    package static let headerTimeout = Duration.seconds(10)
    /// From accept to the end of the TLS handshake, or to the first byte that tells the protocol.
    package static let handshakeTimeout = Duration.seconds(5)
    /// TLS KeyUpdate messages of one connection; an honest client sends one for each 400 GB.
    package static let tlsKeyUpdates = 128
    /// Without any request in flight.
    package static let idleTimeout = Duration.seconds(60)
    /// Without a byte of progress while a body is being read or an answer written.
    package static let stallTimeout = Duration.seconds(30)
    /// How long a closing connection may take to hand over its last bytes, and a client to stop
    /// sending a request that was refused.
    package static let lingerTimeout = Duration.seconds(2)

    /// Bytes that a body or an answer must move within `stallTimeout`: a byte now and then is a
    /// stall.
    package static let stallBytes = 4 << 10
    /// Tokens of one connection's budget for what costs the server more than the client: resets,
    /// pings, settings, empty frames, malformed requests.
    package static let glitchBurst = 1_000
    /// Tokens that come back per second: what a client that cancels and pings in earnest needs.
    package static let glitchesPerSecond = 33
    /// Bytes of a DATA frame from which it is worth its header: smaller ones that do not end their
    /// message are a dribble.
    package static let dribbleBytes = 256
    /// Flow-control window of one HTTP/2 stream, in bytes: one value of ordinary size without a
    /// pause.
    package static let streamWindowBytes = 256 << 10
    /// Flow-control window of one HTTP/2 connection, in bytes.
    package static let connectionWindowBytes = 1 << 20
    /// Bytes of output that are made at a time: whole frames, then the channel is asked again.
    package static let outputBatchBytes = 64 << 10
    /// Output that a channel holds, in bytes, before it stops being writable, and when it is again.
    package static let outputWatermarks = 32 << 10...64 << 10
    /// Unsent bytes that the kernel may hold for a connection (TCP_NOTSENT_LOWAT), else megabytes.
    package static let kernelUnsentBytes = 128 << 10

    // MARK: What the storage engine holds

    /// Bytes of a file that is read as a whole: who a store is, where others are, what a snapshot
    /// changes beside the keys. A table of stores of that size would have tens of thousands.
    package static let wholeFileBytes = 16 << 20

    /// Bytes of a key as stored: a client's key, its space's prefix and a later encoding that
    /// escapes it.
    package static let storedKeyBytes = 8 << 10

    /// Entries of Raft logs, passed by a compaction, that one write of the logs deletes: they come
    /// on top of what the write is for, and whoever waits for it waits for them too.
    package static let logEntriesDeletedPerWrite = 1_024

    // MARK: What a node holds in memory

    /// Bytes of request bodies in memory, arriving or waiting for the disk, in equal shares for the
    /// cores: a machine with many of them has no more memory for it.
    package static let requestBytes = 256 << 20
    /// Bytes of responses in memory, being sent, in equal shares for the cores.
    package static let responseBytes = 256 << 20
    /// Bytes of a core's share at the least: two bodies of the largest size, or two pages and
    /// batches, else a legal request could never be taken.
    package static let heldBytesPerCoreMin = 32 << 20
    /// Bytes of writes that a shard has proposed and nobody has applied yet: more than all request
    /// bodies, so that a slow disk first pauses the clients by flow control, and refuses only what
    /// small requests make large, like range deletes.
    package static let unsyncedBytes = 320 << 20
    /// Bytes of a batch that a core may write to memory on its event loop: some 0.1 ms, less than
    /// waking another thread for it and being woken by it on a busy machine.
    package static let appliedAtOnceBytes = 32 << 10
    /// Bytes of writes that one sync may serve: the batch is in memory twice while it is written.
    package static let mergedWriteBytes = 16 << 20
    /// Bytes of the log that are kept for followers that lag. Past it a snapshot is less to send.
    package static let logBytesForFollowers = 256 << 20
    /// Bytes of the log that a replica that does not lead keeps, should it come to lead: what the
    /// others may lack then, if no snapshot is to be sent.
    package static let logBytesOfFollower = 32 << 20
    /// Bytes of a chunk of a snapshot: a fraction of a second on a slow network, and what a broken
    /// connection costs at most.
    package static let snapshotChunkBytes = 1 << 20
    /// Bytes of snapshots that a store sends a second: what a disk that also serves can give
    /// and take beside it.
    package static let snapshotBytesPerSecond: UInt64 = 128 << 20
    /// For a chunk to be on disk at the other store, and for a stream to be welcome there.
    package static let snapshotPatience = Duration.seconds(20)
    /// Before a transfer that broke goes on, and how often it may break without a chunk in between.
    package static let snapshotPause = Duration.seconds(1)
    package static let snapshotLosses = 5
    /// For a part of a snapshot, or a whole one that the replica has not heard of, after the last
    /// that was heard of it: longer than its leader goes on trying.
    package static let snapshotKept = Duration.seconds(150)
    /// Snapshots that are all there and wait for the replica to say whether it takes them.
    package static let snapshotsStaged = 2
    /// Keys that one batch deletes when a snapshot takes the place of the data.
    package static let keysClearedAtOnce = 16_384
    /// Bytes of the log whose entries are not all in flushed tables: what a restart may have to
    /// apply again, and what the log takes on the disk.
    package static let logBytesUnflushed = 64 << 20
    /// Bytes of entries that a leader keeps in memory after it has applied them, for followers that
    /// lag; what is further back is read from the log.
    package static let entryCacheBytes = 16 << 20
    /// For how long a command that nobody takes waits for a leader: an election, and the time in
    /// which its winner applies what is committed.
    package static let leaderWait = Duration.seconds(3)
    /// Between two times that a store whose disk is full offers the lead to another one, which may
    /// be as full.
    package static let leadOfferPause = Duration.seconds(30)
    /// From the moment at which a node that ends says so in /readyz until it lets another lead:
    /// those who ask it once a second, and send requests here, have heard of it then.
    package static let unreadyNotice = Duration.seconds(2)
    /// How old a stale read may be if it does not say, and the most that it can say.
    package static let stalenessSecondsDefault: UInt64 = 10
    package static let stalenessSecondsMax: UInt64 = 3_600
    /// Stores that a read is sent to after the first: more would follow a leadership that wanders.
    package static let readDetours = 3
    /// Between two tries, if nobody is heard to lead.
    package static let leaderRetry = Duration.milliseconds(50)
    /// Requests of other stores that a leader has in hand; each store bounds its own by what its
    /// connections may ask for.
    package static let requestsFromPeers = 65_536
    /// Requests that wait for a leader to know that it still leads: what arrives in a network's
    /// round trip.
    package static let readsForIndex = 16_384
    /// Entries that a learner may lack when it becomes a voter: what it gets in a moment.
    package static let entriesLackingOfVoter: UInt64 = 1_024
    /// For another store to take the lead when this one ends.
    package static let leaderYields = Duration.seconds(2)
    /// A URL of a host name of 253 bytes, the most that DNS has, and a port.
    package static let storeAddressBytes = 300
    /// Stores that have joined and do not vote yet: two make three of one in a single step, and
    /// more than that are addresses where nobody ever came to be.
    package static let storesJoining = 2
    /// Messages of a replica that wait for a write of its log: many times what arrives during a
    /// slow sync, and a few megabytes.
    package static let messagesHeldForLog = 16_384
    /// Reads of a node that wait for a reader thread, in equal shares for its cores. Past it a cold
    /// read is refused instead of queued for ever.
    package static let readsWaiting = 1_024
    /// Bytes of values that the conditions of one turn are compared with on the loop; what comes
    /// after them is read elsewhere first, one after the other. A hash of 4 MiB takes 10 ms.
    package static let conditionBytesPerTurn = 1 << 20
    /// What a core may have of them at least, however many cores share the limit: a request and a
    /// connection stay on one, and neither may be refused by itself.
    package static let readsWaitingPerCoreMin = 256
    /// Deletes of ranges that a batch sends off together: each is compared with every other, and
    /// takes a reader.
    package static let rangeDeletesPerRun = 128
    /// Entries that a scan may read on an event loop; longer ones go to a reader thread at once.
    package static let entriesScannedInline = 64
    /// Entries that such a scan may look at, expired ones too: twice what it may answer with, and
    /// still tens of microseconds.
    package static let entriesVisitedInline = 128
    /// Deleted and overwritten keys that the engine may step over between two of those: with them
    /// the bound of a turn is their product, about a millisecond.
    package static let keysSkippedInline = 64
    /// Bytes of a text that sets failpoints: a line of a script and not a program.
    package static let failpointTextBytes = 4_096
    /// Actions of one failpoint, chained.
    package static let failpointSteps = 16
    /// Milliseconds that a failpoint holds its place up at most, unless it pauses: a minute, after
    /// which a wrong number has not cost the node.
    package static let failpointWaitMilliseconds: UInt64 = 60_000

    // MARK: What peers may do

    /// Bytes of one record between stores. An entry holds what arrived in one turn of a loop, which
    /// is at most what may be unsynced, and its keys; frozen, as the peer checks it.
    package static let peerRecordBytes = 384 << 20
    /// Bytes that wait for one peer's connection, in either lane: Raft's window for a follower and
    /// as much for requests. Past it Raft's messages are lost and requests refused.
    package static let peerQueueBytes = 32 << 20
    /// Bytes of an envelope from which it goes with what may take long.
    package static let peerUrgentBytes = 4 << 10
    /// Flow-control window of a stream between stores, in bytes: what is with other cores at once.
    package static let peerStreamWindowBytes = 4 << 20
    /// Bytes of a peer's first record, and of its first answer.
    package static let peerGreetingBytes = 4 << 10
    /// Streams of other stores on one core, beside those that serve: two for each of hundreds.
    package static let peerStreamsPerCore = 1_024
    /// From connecting to a peer to the end of its TLS handshake.
    package static let peerConnectTimeout = Duration.seconds(2)
    /// From then until it has taken both streams.
    package static let peerGreetingTimeout = Duration.seconds(2)
    /// Between two pings to a peer.
    package static let peerPingInterval = Duration.milliseconds(500)
    /// Without an answer to a ping, or without anything on a stream of a peer's: it counts as gone.
    /// Above the election timeout, which decides who leads; this frees what is tied up.
    package static let peerSilence = Duration.seconds(3)
    /// After the first failure to reach a peer; doubled with each further one…
    package static let peerPause = Duration.milliseconds(50)
    /// …up to this.
    package static let peerPauseMax = Duration.seconds(2)
    /// Time over which the rates of two stores' clocks are compared.
    package static let peerClockStretch = Duration.seconds(60)
    /// How long a store whose clock was found to differ is refused, before it is judged anew.
    package static let peerClockHold = Duration.seconds(300)
    /// A fifth: the share by which a lease is shorter than an election timeout.
    package static let clockRateShare: UInt64 = 5

    /// What batches may cost an event loop between two looks at its sockets and clocks, counted in
    /// point reads (a scan is four, 8 KiB of values one more): with all of it in memory well below
    /// a millisecond, and still eight runs of reads.
    package static let batchWeightPerTurn = 128

    /// Bytes of stored keys and values that a gateway makes answers of between two looks at its
    /// sockets, and that a shard reads on the loop; small answers are made beyond it. All of it as
    /// escapes takes about 3 ms.
    package static let answerBytesPerTurn = 1 << 20
    /// Bytes of values that a gateway has read and not made answers of, less those that answers
    /// share. Past it reads are refused: they can be sent again.
    package static let unansweredBytes = 64 << 20

    /// The relations between limits that the code relies on; called once at start.
    package static func checkRelations() {
        invariant(valueBytes * 4 / 3 + 64 < bodyBytes, "a value in base64 fits a body")
        invariant(keyBytes * 3 + 1024 < targetBytes, "a percent-encoded key fits a target")
        invariant(bytesPerPage < batchAnswerBytes, "one page fits a batch's answer")
        invariant(valueBytes <= bytesPerPage, "one entry fits a page")
        invariant(requestBytes < unsyncedBytes, "flow control comes before refusal")
        invariant(bodyBytes * 2 <= heldBytesPerCoreMin, "two bodies fit a core")
        invariant(batchAnswerBytes * 2 <= heldBytesPerCoreMin, "two answers fit a core")
        invariant(unsyncedBytes < peerRecordBytes, "an entry of any turn fits a record")
        invariant(peerPingInterval * 4 <= peerSilence, "one lost ping breaks nothing")
        let tries = (snapshotPatience + snapshotPause) * snapshotLosses
        invariant(tries < snapshotKept, "a transfer goes on where it broke")
        invariant(entriesScannedInline < entriesVisitedInline, "a scan on a loop may be answered")
        invariant(rangeDeletesPerRun <= readsWaitingPerCoreMin, "a batch does not refuse itself")
        invariant(streamsPerConnection <= readsWaitingPerCoreMin, "nor does a connection")
        invariant(readsWaitingPerCoreMin <= readsWaiting, "a core has no more than the node")
        invariant(entriesPerPageDefault <= entriesPerPage, "the default page is a legal page")
    }
}
