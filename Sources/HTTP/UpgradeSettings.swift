/// The settings that come with an Upgrade to HTTP/2: the field `HTTP2-Settings` (RFC 7540 §3.2.1).
///
/// They are looked at before the switch, because behind `101` a client that sent nonsense could no
/// longer be told so in words: it would see its connection close.
internal import Base
internal import CNghttp2

enum UpgradeSettings {
    /// The payload of a SETTINGS frame; nil if it is none.
    static func decode(_ text: Bytes) -> Bytes? {
        guard let payload = Base64URL.decode(text), payload.count % 6 == 0 else { return nil }
        let entries = stride(from: 0, to: payload.count, by: 6)
        return entries.allSatisfy { isLegal(payload[$0..<$0 + 6]) } ? payload : nil
    }

    /// The values that RFC 9113 §6.5.2, RFC 8441 §3 and RFC 9218 §2.1 allow; a setting that is not
    /// known is to be ignored.
    private static func isLegal(_ entry: ArraySlice<UInt8>) -> Bool {
        let name = entry.prefix(2).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let value = entry.dropFirst(2).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        switch name {
        case NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue,
            NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL.rawValue,
            NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue:
            return value <= 1
        case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue: return value <= UInt32(Int32.max)
        case NGHTTP2_SETTINGS_MAX_FRAME_SIZE.rawValue:
            return (16_384...16_777_215).contains(value)
        default: return true
        }
    }
}

enum Base64URL {
    /// RFC 4648 §5 without padding; nil if it is anything else.
    static func decode(_ text: Bytes) -> Bytes? {
        var bytes = Bytes()
        var bits: UInt32 = 0
        var count = 0
        for byte in text {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "_"): digit = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(digit)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return text.count % 4 == 1 ? nil : bytes
    }
}
