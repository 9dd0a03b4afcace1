/// The functions that nghttp2 calls, and the options that it runs with.
///
/// Each is a few instructions that find the session and call a method: what they decide is there.
/// They run inside `nghttp2_session_mem_recv` or `_mem_send` and must not call those again.
internal import Base
internal import CNghttp2

enum HTTP2Callbacks {
    // Made once, never changed, shared by all threads: nghttp2 copies from both when it makes a
    // session.
    nonisolated(unsafe) static let shared: OpaquePointer = make()
    // The same holds for these.
    nonisolated(unsafe) static let options: OpaquePointer = makeOptions()

    private static func makeOptions() -> OpaquePointer {
        var made: OpaquePointer?
        invariant(nghttp2_option_new(&made) == 0, "nghttp2 has memory for its options")
        guard let made else { fatalError("nghttp2 made no options") }
        // Windows are opened by hand, as bodies are taken: back-pressure reaches the client.
        nghttp2_option_set_no_auto_window_update(made, 1)
        // Streams that are over are remembered by `StreamHistory`, in less memory.
        nghttp2_option_set_no_closed_streams(made, 1)
        // The server pushes nothing and is pushed nothing.
        nghttp2_option_set_max_reserved_remote_streams(made, 0)
        // Answers to PING and SETTINGS that a client does not read.
        nghttp2_option_set_max_outbound_ack(made, 100)
        nghttp2_option_set_max_settings(made, 32)
        // A header section of `Limits.headerBytes` takes two frames of 16 KiB.
        nghttp2_option_set_max_continuations(made, 8)
        // The connection's own budget is to decide: it counts these together with all else, and by
        // the front's clock.
        nghttp2_option_set_stream_reset_rate_limit(
            made, UInt64(Limits.glitchBurst) * 100, UInt64(Limits.glitchesPerSecond) * 100)
        return made
    }

    private static func make() -> OpaquePointer {
        var made: OpaquePointer?
        invariant(nghttp2_session_callbacks_new(&made) == 0, "nghttp2 has memory for its callbacks")
        guard let made else { fatalError("nghttp2 made no callbacks") }
        nghttp2_session_callbacks_set_on_begin_frame_callback(made) { _, header, user in
            HTTP2Callbacks.session(user) { $0.frameBegins(header!.pointee) }
        }
        nghttp2_session_callbacks_set_on_begin_headers_callback(made) { _, frame, user in
            HTTP2Callbacks.session(user) { $0.headersBegin(frame!) }
        }
        nghttp2_session_callbacks_set_on_header_callback(made) {
            _, _, name, nameLength, value, valueLength, _, user in
            HTTP2Callbacks.session(user) {
                $0.field(
                    UnsafeBufferPointer(start: name, count: nameLength),
                    UnsafeBufferPointer(start: value, count: valueLength))
            }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(made) { _, frame, user in
            HTTP2Callbacks.session(user) { $0.frameEnds(frame!) }
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made) {
            _, _, stream, data, length, user in
            HTTP2Callbacks.session(user) {
                $0.data(stream, UnsafeBufferPointer(start: data, count: length))
            }
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(made) { _, stream, code, user in
            HTTP2Callbacks.session(user) { $0.streamCloses(stream, code) }
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made) { _, frame, _, user in
            HTTP2Callbacks.session(user) { $0.frameIsInvalid(frame!.pointee.hd.stream_id) }
        }
        return made
    }

    static let failed = Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    static let failedStream = Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)

    /// The session outlives every call into nghttp2 that it makes, so nothing is retained here.
    @inline(__always)
    private static func session(
        _ user: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> Int32
    ) -> Int32 {
        Unmanaged<HTTP2Session>.fromOpaque(user!)._withUnsafeGuaranteedRef(body)
    }
}
