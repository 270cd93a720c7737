import Foundation
import Foundations
import StrictJSON
import WireProtocol

/// What a program has printed on standard output: its reports, and the line that may be the result.
struct CommandOutput: Sendable {
  /// Longest result line, in bytes.
  static let resultBytes = 1 << 20
  /// Largest step of a report: what the protocol carries.
  static let largestStep = Int64(1) << 53 - 1

  /// A line of intermediate values.
  struct Report: Equatable, Sendable {
    var step: Int
    var values: [String: Double]
  }

  private let objectives: Set<String>
  /// Lines that are neither blank nor reports.
  private(set) var lineCount = 0
  private(set) var first: [UInt8] = []
  private(set) var last: [UInt8] = []
  /// The newest line before the last one that is a JSON object.
  private(set) var earlierObject: [UInt8]?
  /// Whether the last line is a JSON object.
  private var lastIsObject = false
  /// The lines since one that began an object, as long as they may be JSON over several lines.
  private var block: [UInt8] = []
  private(set) var thinner = ReportThinner()
  private var brokenReports = 0
  private var firstBroken = ""
  private var dropped: [String: Int] = [:]

  init(objectives: [String]) { self.objectives = Set(objectives) }

  /// Values of reports that were left out.
  var droppedValues: Int { dropped.values.reduce(0, +) }

  /// Takes a line; gives the report in it that is to be passed on.
  mutating func take(_ raw: [UInt8]) -> Report? {
    let line = Self.cleaned(raw)
    guard line.contains(where: { $0 > 0x20 }) else { return nil }
    // Most lines are a program's chatter: only what looks like an object is parsed.
    var isObject = false
    if line.first == UInt8(ascii: "{"), line.count <= Self.resultBytes,
      case .object(let fields)? = try? ProgramJSON.parse(line)
    {
      if isReport(fields) { return report(fields, line) }
      isObject = true
    }
    if lastIsObject { earlierObject = last }
    lastIsObject = isObject
    lineCount += 1
    if lineCount == 1 { first = Array(line.prefix(1024)) }
    last = line
    remember(line, beginsObject: raw.first == UInt8(ascii: "{"))
    return nil
  }

  private mutating func remember(_ line: [UInt8], beginsObject: Bool) {
    if beginsObject { block = [] }
    guard beginsObject || !block.isEmpty else { return }
    block = block.count + line.count < Self.resultBytes ? block + line + [UInt8(ascii: "\n")] : []
  }

  /// Whether the last lines together are one JSON object.
  var isSpread: Bool {
    guard !lastIsObject, block.first == UInt8(ascii: "{"), case .object? = try? ProgramJSON.parse(block) else {
      return false
    }
    return true
  }

  /// What has to be said once about the reports.
  var notes: [String] {
    var notes: [String] = []
    if brokenReports > 0 { notes.append("\(brokenReports) report(s) were left out; the first: \(firstBroken)") }
    if !dropped.isEmpty {
      let names = dropped.keys.sorted().prefix(5).joined(separator: ", ")
      notes.append("\(droppedValues) value(s) of reports are no finite numbers and were left out (\(names))")
    }
    if thinner.passed < thinner.seen {
      notes.append(
        "of \(thinner.seen) reports \(thinner.passed) were passed on: after \(ReportThinner.stage) every second, later "
          + "fewer. Report less often to choose them yourself")
    }
    return notes
  }

  // MARK: Reports

  private func isReport(_ fields: JSONObject) -> Bool {
    guard let report = fields["report"] else { return false }
    if case .object = report { return true }
    return fields["step"] != nil && !objectives.contains("report")
  }

  private mutating func report(_ fields: JSONObject, _ line: [UInt8]) -> Report? {
    var step: Int64?
    switch fields["step"] {
    case .integer(let integer)?: step = Int64(integer)
    case .number(let number)? where number.rounded() == number && abs(number) < 1e15: step = Int64(number)
    default: break
    }
    guard let step, (0...Self.largestStep).contains(step) else {
      return broken("step is no integer from 0 to 2^53", line)
    }
    guard case .object(let report)? = fields["report"] else { return broken("report is no object of numbers", line) }
    var values: [String: Double] = [:]
    for (name, value) in report {
      // A value of an objective that is not finite is passed on: it ends the trial. Others cost only themselves.
      if let number = value.programNumber, number.isFinite || objectives.contains(name),
        name.utf8.count <= WireLimits.standard.nameBytes
      {
        values[name] = number
      } else {
        dropped[name.printable(limit: 40), default: 0] += 1
      }
    }
    guard !values.isEmpty else { return report.isEmpty ? broken("report is empty", line) : nil }
    guard values.count <= WireLimits.reportValues else {
      return broken("\(values.count) values; at most \(WireLimits.reportValues) are carried", line)
    }
    // What ends the trial is never thinned out.
    guard thinner.next() || values.values.contains(where: { !$0.isFinite }) else { return nil }
    return Report(step: Int(step), values: values)
  }

  private mutating func broken(_ why: String, _ line: [UInt8]) -> Report? {
    brokenReports += 1
    if brokenReports == 1 { firstBroken = "\(why): \(line.printable(limit: 120))" }
    return nil
  }

  // MARK: Lines

  /// A line without what stands around its text: a byte order mark, colours of a terminal, and what a progress bar had
  /// written over before.
  static func cleaned(_ raw: [UInt8]) -> [UInt8] {
    var line = raw
    if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
    if line.contains(0x1B) { line = withoutEscapes(line) }
    line = trimmed(line)
    if line.contains(0x0D), line.first != UInt8(ascii: "{"),
      let part = line.split(separator: 0x0D).last(where: {
        $0.contains { $0 > 0x20 }
      })
    {
      line = trimmed(Array(part))
    }
    return line
  }

  private static func trimmed(_ line: [UInt8]) -> [UInt8] {
    guard let start = line.firstIndex(where: { $0 > 0x20 }), let end = line.lastIndex(where: { $0 > 0x20 }) else {
      return []
    }
    return start == 0 && end == line.count - 1 ? line : Array(line[start...end])
  }

  /// Without the control sequences of terminals (ESC [ … letter, ESC ] … BEL, ESC letter).
  private static func withoutEscapes(_ line: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var index = 0
    while index < line.count {
      guard line[index] == 0x1B, index + 1 < line.count else {
        if line[index] != 0x1B { result.append(line[index]) }
        index += 1
        continue
      }
      let kind = line[index + 1]
      index += 2
      switch kind {
      case UInt8(ascii: "["):
        while index < line.count, !(0x40...0x7E).contains(line[index]) { index += 1 }
        index += 1
      case UInt8(ascii: "]"):
        while index < line.count, line[index] != 0x07, line[index] != 0x1B { index += 1 }
        if index < line.count, line[index] == 0x07 { index += 1 }
      default: break
      }
    }
    return result
  }
}

extension JSONValue {
  /// The number that a program printed; not-a-number for null and for words such as "NaN"; nil for anything else.
  var programNumber: Double? {
    switch self {
    case .integer(let integer): Double(integer)
    case .number(let number): number
    case .null: .nan
    case .string(let text) where JSONRules.isNotFinite(text): .nan
    default: nil
    }
  }

  /// What a value is, in words.
  var programKind: String {
    switch self {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .integer, .number, .numberText: "a number"
    case .string(let text): "the text \"\(text.printable(limit: 60))\""
    case .array: "a list"
    case .object: "an object"
    }
  }
}
