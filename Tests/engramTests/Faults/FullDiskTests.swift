import Foundation
import Study
import TestSupport
import Testing

/// R12: the disk is full, at a different write every time, on a small file system of its own.
///
/// Nothing is acknowledged without its commit, the workers keep their outcomes, the reason is said, and the study goes
/// on by itself when there is room. Needs root for the file system; skipped, with the reason, where that is not to be
/// had.
@Suite("Full disk", .bounded) struct FullDiskTests {
  @Test("R12: the study pauses and goes on when there is room") func full() async {
    let outcome = await FaultRun.perform("R12") { run in
      let rounds = FaultForm.count(short: 4, full: 64)
      let mount = try TemporaryFolder("engram-small-disk")
      guard getuid() == 0,
        Self.command(["mount", "-t", "tmpfs", "-o", "size=\(24 + rounds)m", "tmpfs", mount.url.path])
      else {
        run.outcome.skipped = "a small file system can not be mounted here (root is needed)"
        return
      }
      defer { _ = Self.command(["umount", "-l", mount.url.path]) }
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 1_000_000
      options.runs = mount.url.appendingPathComponent("runs", isDirectory: true)
      let study = try FaultStudy("disk", options)
      let host = SessionHost(SessionHost.Options(study, trialSeconds: 0.02, seed: run.seed), count: 8)
      defer { host.stop() }
      let coordinator = try study.coordinator()
      defer { coordinator.destroy() }
      for round in 0..<rounds {
        let before = study.finished
        do {
          try Patience.require("the study runs in round \(round)") { study.finished > before + 8 }
        } catch {
          let log = host.log
          throw FaultTestError(
            "\(error); finished \(before), then \(study.finished); workers: \(log.failure ?? "no failure"), sent "
              + "\(log.sent), received \(log.received); coordinator: \(coordinator.output.suffix(1500))")
        }
        try Self.fill(mount, study, coordinator, round: round, run: run)
      }
      let last = study.finished
      try Patience.require("the study goes on at the end") { study.finished > last + 8 }
      coordinator.kill(SIGINT)
      run.check(coordinator.wait(60) == 130, "the coordinator did not stop")
      let log = host.stop()
      let problems = try study.problems(acknowledged: log.acknowledged, expectsEnd: false)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      run.note("\(log.acknowledged.count) acknowledged results kept, one coordinator process throughout")
      run.outcome.count = rounds
      run.outcome.what = "\(rounds) times full on a small file system, at a different write each time, 8 workers"
    }
    #expect(outcome.problems == [])
  }

  /// Fills the disk up to some pages, waits until the coordinator says so, looks, and makes room again.
  private static func fill(
    _ mount: TemporaryFolder, _ study: FaultStudy, _ coordinator: FaultProcess, round: Int, run: FaultRun
  ) throws {
    let said = complaints(coordinator)
    let ballast = mount.url.appendingPathComponent("ballast")
    try fill(ballast, leaving: round * 4096)
    try Patience.require("the coordinator says that the disk is full (round \(round))") {
      complaints(coordinator) > said || !coordinator.isRunning
    }
    run.fire("disk full")
    run.check(coordinator.isRunning, "the coordinator ended: \(coordinator.output.suffix(400))")
    // Asks are paused: nothing is finished any more, but for what still found room.
    let first = study.finished
    usleep(400_000)
    let second = study.finished
    run.check(second - first <= 8, "\(second - first) trials were finished on a full disk")
    try FileManager.default.removeItem(at: ballast)
  }

  private static func complaints(_ coordinator: FaultProcess) -> Int {
    coordinator.output.components(separatedBy: "is full; nothing is lost").count - 1
  }

  private static func command(_ words: [String]) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    process.standardError = FileHandle.nullDevice
    guard (try? process.start()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  /// Writes until nothing more fits, then gives `room` bytes back.
  private static func fill(_ file: URL, leaving room: Int) throws {
    let descriptor = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw FaultTestError("cannot write \(file.path)") }
    defer { close(descriptor) }
    var size = 0
    for block in [1 << 20, 4096] {
      let bytes = [UInt8](repeating: 1, count: block)
      while write(descriptor, bytes, block) == block { size += block }
      lseek(descriptor, off_t(size), SEEK_SET)
    }
    ftruncate(descriptor, off_t(max(0, size - room)))
  }
}
