import Foundation
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// Messages per second, printed on demand (`ENGRAM_FULL=1`); nothing is asserted about time.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["ENGRAM_FULL"] == "1"), .bounded) struct ThroughputTests {
  @Test func echoOfOneKilobyteOverIPC() async throws {
    let fixture = try TransportContractTests.ipc()
    let server = try fixture.listen()
    let client = try fixture.connect("w")
    let echo = Task { await Echo.run(server) }
    try await Echo.waitUntilConnected(client)
    let frames = WireFrames(json: [UInt8](repeating: 65, count: 1024))
    var latencies: [Double] = []
    for _ in 0..<2000 {
      let start = ContinuousClock.now
      client.send(frames)
      _ = await client.events.next()
      latencies.append(Double(start.duration(to: .now).components.attoseconds) / 1e12)
    }
    let count = 50_000
    var pending = 0
    var received = 0
    let start = ContinuousClock.now
    // A window of 256: enough to keep both sides busy, below every high-water mark.
    while received < count {
      while pending < 256, received + pending < count {
        client.send(frames)
        pending += 1
      }
      guard case .message? = await client.events.next() else { break }
      received += 1
      pending -= 1
    }
    let duration = start.duration(to: .now)
    let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    latencies.sort()
    print("echo of 1 KB over ipc: median \(latencies[1000]) µs, \(Int(Double(count) / seconds)) messages/s pipelined")
    client.close()
    server.close()
    #expect(await echo.value == 1 + 2000 + count)
  }
}
