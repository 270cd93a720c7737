import Foundation
import Foundations

extension StudyArchive {
  /// Writes the lines; `sink` takes them one after the other, each with its line end.
  package func write(to sink: (Data) throws -> Void) throws {
    let encoder = Self.encoder()
    var hash = SHA256()
    var lines = 0
    func put(_ line: Line) throws {
      var data = try encoder.encode(line)
      data.append(UInt8(ascii: "\n"))
      hash.update(data)
      lines += 1
      try sink(data)
    }
    try put(Line(head: Head(definition: record.definition, header: record.header, counts: counts)))
    for trial in record.trials { try put(Line(trial: trial)) }
    for event in events { try put(Line(event: event)) }
    for report in reports { try put(Line(report: report)) }
    for (trial, data) in warmStarts.sorted(by: { $0.key < $1.key }) {
      try put(Line(warmStart: WarmStart(trial: trial, data: data)))
    }
    var last = try encoder.encode(Line(end: End(lines: lines, sha256: hash.hex)))
    last.append(UInt8(ascii: "\n"))
    try sink(last)
  }

  /// All lines.
  package func data() throws -> Data {
    var data = Data()
    try write { data.append($0) }
    return data
  }
}
