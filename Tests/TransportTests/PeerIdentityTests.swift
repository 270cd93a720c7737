import TestSupport
import Testing
import WireProtocol

@testable import Transport

@Suite("Who is behind a connection", .bounded) struct PeerIdentityTests {
  @Test("one routing id under two keys is two peers") func twoKeysAreTwoPeers() {
    let id = Array("w.1".utf8)
    let (a, b) = (PeerIdentity(key: "a"), PeerIdentity(key: "b"))
    #expect(Peer(id: id, identity: a) == Peer(id: id, identity: a))
    #expect(Peer(id: id, identity: a) != Peer(id: id, identity: b))
    #expect(Peer(id: id, identity: a) != Peer(id: id))
    #expect(Set([Peer(id: id, identity: a), Peer(id: id, identity: b), Peer(id: id)]).count == 3)
  }

  @Test("in memory, a revoked key is unheard and its end is reported") func revokedInMemory() async {
    let network = InMemoryNetwork()
    let server = network.listen()
    let key = PeerIdentity(key: "k")
    let (bad, good) = (network.connect(identity: "bad", key: key), network.connect(identity: "good"))
    bad.send(WireFrames(json: [1]))
    good.send(WireFrames(json: [2]))
    var peers: [Peer] = []
    for _ in 0..<2 {
      guard case .message(let peer, _) = await server.events.next() else { continue }
      peers.append(peer)
    }
    #expect(peers.map(\.identity) == [key, nil])
    network.revoke(key, names: ["bad"])
    #expect(await server.events.next() == .keyRevoked(key, names: ["bad"]))
    bad.send(WireFrames(json: [3]))
    bad.reconnect()
    bad.send(WireFrames(json: [4]))
    good.send(WireFrames(json: [5]))
    #expect(await server.events.next() == .message(peers[1], WireFrames(json: [5])))
    // What is sent to it does not arrive either.
    server.send(WireFrames(json: [6]), to: peers[0])
    #expect(await server.events.next() == .undeliverable(peers[0]))
    server.close()
  }
}
