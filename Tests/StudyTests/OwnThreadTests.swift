import Foundation
import TestSupport
import Testing

/// The trait that keeps tests which wait or compute away from Swift's pool.
@Suite(.bounded) struct OwnThreadTests {
  private func owner() -> String? { OwnThreadTrait.owner }

  @Test(.ownThread) func synchronousBodiesRunThere() {
    #expect(owner() == "synchronousBodiesRunThere()")
  }

  @Test(.ownThread) func asynchronousBodiesComeBackThere() async throws {
    #expect(owner() == "asynchronousBodiesComeBackThere()")
    try await Task.sleep(for: .milliseconds(5))
    #expect(owner() == "asynchronousBodiesComeBackThere()")
    let child = await withTaskGroup(of: String?.self) { group in
      group.addTask { owner() }
      return await group.next() ?? nil
    }
    #expect(child == "asynchronousBodiesComeBackThere()")
  }

  @Test func othersDoNot() async {
    await Task.yield()
    #expect(owner() == nil)
  }

  /// More bodies than the pool has threads wait for tasks that only the pool can run.
  @Test(.ownThread, arguments: 0..<6) func thePoolStaysFreeWhileBodiesBlock(_ index: Int) {
    let done = DispatchSemaphore(value: 0)
    Task.detached { done.signal() }
    #expect(done.wait(timeout: .now() + 60) == .success)
    usleep(50_000)
  }
}
