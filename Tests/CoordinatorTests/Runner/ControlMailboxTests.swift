import Foundation
import Study
import StudyDatabase
import TestSupport
import Testing

@testable import Coordinator

/// Commands by way of the study's folder: carried out for somebody who waits, or not at all.
@Suite("Control mailbox", .ownThread, .timeLimit(.minutes(5)), .bounded) struct ControlMailboxTests {
  private let folder: TemporaryFolder
  private let mailbox: ControlMailbox

  init() throws {
    folder = try TemporaryFolder()
    mailbox = ControlMailbox(StudyFolder(folder.url))
    try mailbox.make()
  }

  private func leave(_ name: String, _ command: SteeringCommand = .pause) throws {
    try JSONEncoder().encode(command).write(to: mailbox.folder.appendingPathComponent(name))
  }

  private func answerAll(now: Double = Date().timeIntervalSince1970) -> (done: [SteeringCommand], notes: [String]) {
    var done: [SteeringCommand] = []
    var notes: [String] = []
    mailbox.answerAll(
      { command in
        done.append(command)
        return SteeringReply(message: "ok")
      }, now: now, note: { notes.append($0) })
    return (done, notes)
  }

  private var names: [String] {
    // An empty list shows in the expectations.
    (try? FileManager.default.contentsOfDirectory(atPath: mailbox.folder.path)) ?? []
  }

  @Test("a command is carried out while its sender waits, and leaves nothing behind") func waited() async throws {
    let box = mailbox
    async let reply = OwnThread.run { try box.send(.pause, patience: 60) }
    var done: [SteeringCommand] = []
    for _ in 0..<6_000 where done.isEmpty {
      done += answerAll().done
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(done == [.pause])
    #expect(try await reply.message == "ok")
    #expect(names.isEmpty)
  }

  @Test("a command whose sender has gone is not carried out") func givenUp() throws {
    // Nobody holds the file locked: the sender was killed.
    try leave("A.\(Int(Date().timeIntervalSince1970) + 60).request")
    let (done, notes) = answerAll()
    #expect(done.isEmpty && names.isEmpty)
    #expect(notes.count == 1 && notes[0].contains("no longer waits"))
  }

  @Test("a command whose time is over is not carried out") func expired() throws {
    let now = Date().timeIntervalSince1970
    try leave("A.\(Int(now) - 5).request")
    // As older programs write it: without an expiry, good for 15 s.
    try leave("B.request", .resume)
    let (done, notes) = answerAll(now: now)
    #expect(done == [.resume])
    #expect(notes.count == 1 && notes[0].contains("its time was over 5 s ago"))
    try leave("C.request")
    let late = answerAll(now: now + 60)
    #expect(late.done.isEmpty && late.notes.first?.contains("s old") == true)
  }

  @Test("a command that nobody answers is withdrawn") func unanswered() throws {
    #expect { try mailbox.send(.pause, patience: 0.1) } throws: { ($0 as? StudyError)?.code == .busy }
    #expect(names.isEmpty)
  }

  @Test("answers that nobody fetched are removed") func oldReplies() throws {
    try leave("A.1.reply")
    _ = answerAll()
    #expect(names == ["A.1.reply"])
    _ = answerAll(now: Date().timeIntervalSince1970 + 120)
    #expect(names.isEmpty)
    try leave("B.1.reply")
    try mailbox.open()
    #expect(names.isEmpty, "a new coordinator begins with an empty box")
  }

  @Test("an answer that cannot be written is said, with what was done") func unwritable() throws {
    let expiry = Int(Date().timeIntervalSince1970) + 60
    try leave("A.request")
    // A folder stands where the answer belongs: nothing can be renamed over it.
    try FileManager.default.createDirectory(
      at: mailbox.folder.appendingPathComponent("A.reply/x"), withIntermediateDirectories: true)
    let (done, notes) = answerAll()
    #expect(done == [.pause], "\(expiry)")
    #expect(notes.count == 1 && notes[0].contains("could not be written") && notes[0].contains("carried out: ok"))
  }
}
