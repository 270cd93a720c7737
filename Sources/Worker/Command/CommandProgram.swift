import Foundation
import Foundations
import Glibc

/// The program of a command evaluator: where it is, whether it can run, and why not.
struct CommandProgram {
  /// Program and arguments as the study's file has them.
  let arguments: [String]
  /// Folder of the study's file.
  let folder: URL?

  /// What is started: the program's path and its arguments.
  struct Resolved: Equatable, Sendable {
    var path: String
    var arguments: [String]
    /// Files that the program needs to be there: itself, and the script that an interpreter is to run.
    var files: [String]
  }

  /// Finds the program.
  ///
  /// A name without a slash is looked for in PATH; a relative path beside the study's file, then in the working
  /// directory. So is the script that follows an interpreter (`[python3, train.py]`).
  ///
  /// - Throws: ``EvaluationError`` `unavailable` that says what is missing.
  func resolve() throws(EvaluationError) -> Resolved {
    guard let name = arguments.first, !name.isEmpty else {
      throw .unavailable("evaluator.command names no program", nextStep: "write command: [python3, train.py]")
    }
    try checkWorkingDirectory()
    let path = try find(name)
    try Self.checkExecutable(path)
    try Self.checkFirstLine(path)
    var resolved = Resolved(path: path, arguments: Array(arguments.dropFirst()), files: [path])
    if Self.isInterpreter(path), let script = resolved.arguments.first, !script.isEmpty, !script.hasPrefix("-"),
      let found = try findScript(script, of: name)
    {
      resolved.arguments[0] = found
      resolved.files.append(found)
    }
    return resolved
  }

  // MARK: Places

  private func checkWorkingDirectory() throws(EvaluationError) {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&buffer, buffer.count) == nil else { return }
    throw .unavailable(
      "the worker's working directory is gone (\(String(cString: strerror(errno))))",
      nextStep: "start the worker again in a folder that exists")
  }

  private func find(_ name: String) throws(EvaluationError) -> String {
    guard name.contains("/") else {
      if let found = Self.inPath(name) { return found }
      throw .unavailable("the program \(name.printable()) was not found in PATH", nextStep: hint(name))
    }
    let places = places(name)
    if let found = places.first(where: { access($0, F_OK) == 0 }) { return found }
    throw .unavailable("the program \(name.printable()) was not found\(looked(places))", nextStep: hint(name))
  }

  /// The script that an interpreter is to run; nil for what is left to it: a folder, or a script that it finds itself.
  private func findScript(_ name: String, of program: String) throws(EvaluationError) -> String? {
    let places = places(name)
    if let found = places.first(where: { Self.isFile($0) }) { return found }
    let isElsewhere = places.contains { access($0, F_OK) == 0 } || !name.contains("/") && Self.inPath(name) != nil
    if isElsewhere { return nil }
    throw .unavailable(
      "the script \(name.printable()) of the command [\(program.printable()), …] was not found\(looked(places))",
      nextStep: "give its path from the study file's folder, or its full path, in evaluator.command")
  }

  /// Where a path may lie: as it is, or beside the study's file and then in the working directory.
  private func places(_ name: String) -> [String] {
    if name.hasPrefix("/") { return [name] }
    if name.hasPrefix("~/") { return [(name as NSString).expandingTildeInPath] }
    return (folder.map { [$0.appendingPathComponent(name).standardizedFileURL.path] } ?? []) + [name]
  }

  private func looked(_ places: [String]) -> String {
    guard places.count > 1, let folder else { return "" }
    return " (looked in \(folder.standardizedFileURL.path), where the study's file is, and in "
      + "\(FileManager.default.currentDirectoryPath))"
  }

  private func hint(_ name: String) -> String {
    if name.contains(" ") {
      return "no shell is involved: write program and arguments as a list, or [sh, -c, '\(name.printable(limit: 60))']"
    }
    if name.contains("$") { return "variables are not replaced: write the full path in evaluator.command" }
    if !name.contains("/"), places(name).contains(where: { Self.isFile($0) }) {
      return "there is a file of that name here: write ./\(name)"
    }
    return "give its full path in evaluator.command"
  }

  private static func inPath(_ name: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }.first { isFile($0) && access($0, X_OK) == 0 }
  }

  // MARK: Files

  private static func isFile(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFREG
  }

  private static func checkExecutable(_ path: String) throws(EvaluationError) {
    guard isFile(path) else {
      throw .unavailable("the program \(path) is no file", nextStep: "name the program itself in evaluator.command")
    }
    guard access(path, X_OK) == 0 else {
      throw .unavailable(
        "the program \(path) may not be executed (\(String(cString: strerror(errno))))",
        nextStep: "run: chmod +x \(path); or name its interpreter first, such as [python3, \(path)]")
    }
  }

  /// Looks at a script's first line: the interpreter that it names must be there.
  private static func checkFirstLine(_ path: String) throws(EvaluationError) {
    // A program that may be executed but not read is no script.
    guard let file = FileHandle(forReadingAtPath: path) else { return }
    defer { try? file.close() }
    guard let start = try? file.read(upToCount: 256) else { return }
    guard start.starts(with: Array("#!".utf8)) else {
      // A text without it; what has other bytes may be a program of a kind that the system knows and we do not.
      if !start.contains(0), !start.starts(with: [0x7F]) { throw noFirstLine(path) }
      return
    }
    let line = String(decoding: start.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    guard !line.hasSuffix("\r") else {
      throw .unavailable(
        "the first line of \(path) ends with a carriage return, so its interpreter is not found",
        nextStep: "convert its line ends, for example with sed -i 's/\\r$//' \(path)")
    }
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    guard let interpreter = words.first else { return }
    guard access(interpreter, X_OK) == 0 else {
      throw .unavailable(
        "the interpreter \(interpreter.printable()), which the first line of \(path) names, was not found",
        nextStep: "correct the script's first line, or name an interpreter in evaluator.command")
    }
    if interpreter.hasSuffix("/env"), words.count > 1, !words[1].hasPrefix("-"), !words[1].contains("=") {
      _ = try CommandProgram(arguments: [words[1]], folder: nil).find(words[1])
    }
  }

  /// Why a script without a first line cannot be started.
  static func noFirstLine(_ path: String) -> EvaluationError {
    .unavailable(
      "\(path) is no program of this machine and has no first line such as #!/bin/sh",
      nextStep: "add one, or name the interpreter first in evaluator.command")
  }

  private static let interpreters = [
    "python", "pypy", "sh", "bash", "dash", "zsh", "ksh", "fish", "perl", "ruby", "node", "Rscript", "julia", "php",
    "lua",
  ]

  /// Whether a program runs the script that is its first argument: `python3.12` as `python`.
  private static func isInterpreter(_ path: String) -> Bool {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let bare = name.prefix { !$0.isNumber && $0 != "." }
    return interpreters.contains(String(bare))
  }
}
