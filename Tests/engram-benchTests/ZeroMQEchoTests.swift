import Foundation
import TestSupport
import Testing
import Transport

@testable import engram_bench

@Suite("ZeroMQ echo", .bounded) struct ZeroMQEchoTests {
  @Test("the yardstick's echo comes back", .ownThread) func echo() throws {
    let folder = try TemporaryFolder("engram-echo")
    let endpoint = Endpoint.ipc(path: folder.url.appendingPathComponent("e").path)
    let thread = Thread {
      // A server that fails leaves the driver without answers, and that throws.
      try? ZeroMQEcho.serve(endpoint, messages: 20 + 500) { _ in }
    }
    thread.start()
    let seconds = try ZeroMQEcho.drive(endpoint, connections: 20, messages: 500, bytes: 100)
    #expect(seconds > 0)
  }
}
