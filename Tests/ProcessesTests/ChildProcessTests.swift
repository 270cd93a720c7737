import Foundation
import Glibc
import TestSupport
import Testing

@testable import Processes

@Suite("Child processes", .bounded) struct ChildProcessTests {
  @Test func whatAChildHasStartedGoesWithIt() async throws {
    let (events, feed) = AsyncStream<ChildProcess.Event>.makeStream()
    let child = try ChildProcess(
      executable: "/bin/sh", arguments: ["-c", "sleep 1000 & echo $!; read -r line; kill -9 $$"], environment: [:]
    ) { feed.yield($0) }
    var grandchild: pid_t = 0
    for await event in events {
      switch event {
      case .output(let line):
        grandchild = try #require(pid_t(String(decoding: line, as: UTF8.self)))
        #expect(kill(grandchild, 0) == 0)
        child.write([UInt8(ascii: "\n")])
      case .ended(let end):
        #expect(end.signal == 9)
        feed.finish()
      case .log: break
      }
    }
    // It is gone, or waits to be buried by somebody else.
    let state = (try? String(contentsOfFile: "/proc/\(grandchild)/stat", encoding: .utf8)) ?? "gone"
    #expect(grandchild > 0 && (state == "gone" || state.contains(") Z ")))
  }

  @Test func aChildInheritsNothingButItsStreams() async throws {
    // Open in this process and not marked to be closed, as libraries leave descriptors.
    let descriptor = fcntl(2, F_DUPFD, 200)
    defer { close(descriptor) }
    #expect(descriptor >= 200 && fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0)
    let (events, feed) = AsyncStream<ChildProcess.Event>.makeStream()
    _ = try ChildProcess(
      executable: "/bin/sh",
      arguments: ["-c", "for f in 0 \(descriptor); do test -e /proc/$$/fd/$f && echo $f; done; true"], environment: [:]
    ) { feed.yield($0) }
    var seen: [String] = []
    for await event in events {
      if case .output(let line) = event { seen.append(String(decoding: line, as: UTF8.self)) }
      if case .ended = event { feed.finish() }
    }
    #expect(seen == ["0"])
  }

  @Test func processEndsAreRead() {
    #expect(ProcessEnd(word: 75 << 8).status == 75)
    #expect(ProcessEnd(word: 9).signal == 9)
    #expect(ProcessEnd(word: 11 | 0x80).signal == 11)
    #expect(ProcessEnd(word: 9).description.contains("SIGKILL"))
  }

  @Test("a line of /proc is read whatever the process is called") func statLines() {
    let entry = ProcessEntry(stat: "17 (a) b (c) S 4 16 15 0 -1 4194560 1")
    #expect(entry == ProcessEntry(pid: 17, parent: 4, group: 16, state: "S", name: "a) b (c"))
    #expect(ProcessEntry(stat: "17 (x) Z 4 16 15")?.isOver == true)
    for broken in ["", "17", "17 (x", "x (x) S 1 2", "17 (x) S", ")17("] { #expect(ProcessEntry(stat: broken) == nil) }
    let table = ProcessTable(entries: [
      ProcessEntry(pid: 2, parent: 1, group: 2), ProcessEntry(pid: 3, parent: 2, group: 2),
      ProcessEntry(pid: 4, parent: 3, group: 4), ProcessEntry(pid: 5, parent: 1, group: 5),
    ])
    #expect(table.descendants(of: 2) == [3, 4])
    #expect(ProcessMark(name: "A", value: "b").isCarried(by: Array("X=1\0A=b\0".utf8)))
    #expect(!ProcessMark(name: "A", value: "b").isCarried(by: Array("A=bc\0XA=b\0".utf8)))
  }
}
