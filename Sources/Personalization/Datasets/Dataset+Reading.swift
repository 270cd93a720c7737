import Foundation
import StrictJSON

extension Dataset {
  static let userKeys = ["id", "profile", "history"]
  static let itemKeys = ["kind", "text", "context", "time"]
  static let sampleKeys = ["id", "user", "query", "context", "response", "time", "split"]

  /// Reads `users.jsonl` and `samples.jsonl`, strictly.
  ///
  /// - Throws: `DatasetError` that names file, line and, where it is known, column.
  package static func read(users: URL, samples: URL) throws -> Dataset {
    let (people, userLines) = try readUsers(users)
    let (questions, sampleLines) = try readSamples(samples)
    guard !questions.isEmpty else {
      throw DatasetError(.empty, "no samples; every line should be one sample record", path: samples.path)
    }
    return try Dataset(
      users: people, samples: questions,
      origin: Origin(
        usersPath: users.path, userLines: userLines, samplesPath: samples.path, sampleLines: sampleLines))
  }

  private static func readUsers(_ url: URL) throws -> ([User], [Int]) {
    try records(url) { data, decoder in
      let object = try decoder.object(data, known: userKeys)
      return User(
        id: try decoder.identifier(object, "id"), profile: try profile(object, decoder),
        history: try history(object, decoder))
    }
  }

  private static func readSamples(_ url: URL) throws -> ([Sample], [Int]) {
    try records(url) { data, decoder in
      let object = try decoder.object(data, known: sampleKeys)
      var split: SplitPart?
      if let name = try decoder.optionalText(object, "split") {
        guard let part = SplitPart(rawValue: name) else {
          throw decoder.fail("\"split\" is \"\(name)\"; it must be train, validation or test")
        }
        split = part
      }
      let response = try decoder.text(object, "response")
      guard response.contains(where: { !$0.isWhitespace }) else {
        throw decoder.fail("\"response\" is empty; remove the sample")
      }
      return Sample(
        id: try decoder.identifier(object, "id"), user: try decoder.identifier(object, "user"),
        query: try decoder.text(object, "query"), context: try decoder.optionalText(object, "context"),
        response: response, time: try decoder.optionalTime(object, "time"), split: split)
    }
  }

  private static func records<T>(_ url: URL, _ decode: (Data, RecordDecoder) throws -> T) throws -> ([T], [Int]) {
    var reader = try LineReader(url)
    var values: [T] = []
    var lines: [Int] = []
    while let data = try reader.next() {
      // Blank lines separate nothing and hold nothing; editors leave them at the end of files.
      if data.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
      values.append(try decode(data, RecordDecoder(path: reader.path, line: reader.line)))
      lines.append(reader.line)
    }
    return (values, lines)
  }

  /// An object of strings, numbers and lists of them, or one string; written out as text.
  private static func profile(_ object: JSONObject, _ decoder: RecordDecoder) throws -> [String: String] {
    guard let value = object.present("profile") else { return [:] }
    if let text = value.stringValue { return text.isEmpty ? [:] : ["profile": text] }
    guard let entries = value.objectValue else {
      throw decoder.fail("\"profile\" must be an object of strings, or one string")
    }
    return try entries.reduce(into: [:]) { profile, entry in
      if let text = scalar(entry.value) {
        profile[entry.key] = text
        return
      }
      if let list = entry.value.arrayValue {
        let texts = list.compactMap(scalar)
        if texts.count == list.count {
          profile[entry.key] = texts.joined(separator: ", ")
          return
        }
      }
      throw decoder.fail("\"profile\" may hold strings, numbers and lists of them only")
    }
  }

  /// A string, boolean or number as text; nil for other values.
  static func scalar(_ value: JSONValue) -> String? {
    value.stringValue ?? value.boolValue.map { String($0) } ?? RecordNumber(value)?.written
  }

  private static func history(_ object: JSONObject, _ decoder: RecordDecoder) throws -> [HistoryItem] {
    guard let value = object["history"] else { throw decoder.fail("\"history\" is missing; give [] if there is none") }
    guard let list = value.arrayValue else { throw decoder.fail("\"history\" must be a list of items") }
    return try list.enumerated().map { position, element in
      let place = "history[\(position)]."
      guard let item = element.objectValue else {
        throw decoder.fail("\"history[\(position)]\" must be an object {kind, text, context?, time?}")
      }
      try decoder.refuseUnknown(item, known: itemKeys, at: place)
      return HistoryItem(
        kind: try decoder.text(item, "kind", at: place), text: try decoder.text(item, "text", at: place),
        context: try decoder.optionalText(item, "context", at: place),
        time: try decoder.optionalTime(item, "time", at: place))
    }
  }
}
