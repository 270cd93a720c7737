import TestSupport
import Testing

@testable import Processes

@Suite("Repeated signals", .bounded) struct SignalCountTests {
  private let start = ContinuousClock.now

  @Test func anEchoOfASignalIsNotASecondOne() {
    let count = SignalCount()
    let worker = SignalWatch.Repetition.endsProcess(echo: .seconds(1))
    #expect(!count.isRaised)
    #expect(count.next(at: start, worker) == .request)
    #expect(count.isRaised)
    #expect(count.next(at: start + .milliseconds(400), worker) == .echo)
    #expect(count.next(at: start + .milliseconds(1500), worker) == .leaveNow)
  }

  @Test("a command ends at the second signal at once; a process that passes them on never does") func others() {
    let (command, fleet) = (SignalCount(), SignalCount())
    #expect(command.next(at: start, .endsProcess(echo: .zero)) == .request)
    #expect(command.next(at: start, .endsProcess(echo: .zero)) == .leaveNow)
    for _ in 0..<3 { #expect(fleet.next(at: start, .handedOn) == .request) }
  }
}
