// Who is believed to be a store, for each way of being started and each way of coming.
import Peers
import Testing

struct PeerTrustTests {
    @Test func everyCase() {
        let shown: [PeerTrust.Shown] = [.clear, .nothing, .rejected("expired"), .certificate]
        for one in shown {
            #expect(PeerTrust.anyone.fault(of: one) == nil)
            #expect(PeerTrust.nobody.fault(of: one)?.sentence.contains("--peer-ca") == true)
            let fault = PeerTrust.certified.fault(of: one)
            #expect((fault == nil) == (one == .certificate))
            #expect(fault.map(\.label) ?? "unauthenticated" == "unauthenticated")
        }
        let words = [
            (PeerTrust.Shown.clear, "in clear"), (.nothing, "no certificate"),
            (.rejected("expired"), "(expired)"),
        ]
        for (one, words) in words {
            let sentence = PeerTrust.certified.fault(of: one)?.sentence
            #expect(sentence?.contains(words) == true, "\(sentence ?? "nothing")")
            #expect(sentence?.contains("--peer-ca") == true, "it says what to do")
        }
    }
}
