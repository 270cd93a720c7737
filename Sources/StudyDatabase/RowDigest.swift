import Foundation
import Foundations
import GRDB
import Study

/// Digests that are stored with every row, so that a row that another program or a failing disk has changed is noticed.
///
/// They prove nothing against somebody who computes them anew: they find accidents and edits, not forgers.
enum RowDigest {
  /// The digest of a row's values, each with its type and length, in a domain of its own per table.
  static func of(_ domain: String, _ values: [DatabaseValue]) -> Data {
    var hash = SHA256()
    hash.update("engram \(domain) 1\n")
    for value in values { add(value, to: &hash) }
    return Data(hash.digest)
  }

  /// The digest of an event: over the one before it, so that none can be left out, added or moved.
  static func of(_ event: (number: Int, time: Double, text: String), after previous: Data) -> Data {
    of(
      "event", [previous.databaseValue, event.number.databaseValue, event.time.databaseValue, event.text.databaseValue])
  }

  private static func add(_ value: DatabaseValue, to hash: inout SHA256) {
    func number(_ tag: String, _ value: some FixedWidthInteger) {
      hash.update(tag)
      withUnsafeBytes(of: value.littleEndian) { hash.update($0) }
    }
    switch value.storage {
    case .null: hash.update("n")
    case .int64(let value): number("i", value)
    // SQLite keeps whole numbers as integers, and so loses the sign of zero.
    case .double(let value): number("d", (value == 0 ? 0.0 : value).bitPattern)
    case .string(let text):
      number("t", UInt64(text.utf8.count))
      hash.update(text)
    case .blob(let data):
      number("b", UInt64(data.count))
      hash.update(data)
    }
  }
}

/// Which columns of which table a digest covers.
struct DigestedColumns {
  var table: String
  /// The column that holds the digest.
  var digest: String
  /// What the row is called, from its first column.
  var name: String
  var columns: [String]

  /// What a proposal decided: written once.
  static let origin = DigestedColumns(
    table: "trials", digest: "origin_digest", name: "trial",
    columns: ["number", "key", "kind", "configuration", "seed", "provenance"])
  /// What became of a trial: written with every change.
  static let outcome = DigestedColumns(
    table: "trials", digest: "digest", name: "trial",
    columns: [
      "number", "state", "result", "failure", "ended_event", "needs_more_than_bytes", "forgiven_attempts",
      "hypervolume",
    ])
  static let attempt = DigestedColumns(
    table: "attempts", digest: "digest", name: "attempt",
    columns: [
      "token", "trial", "ordinal", "worker", "state", "lease_seconds", "leased_time", "started_time", "ended_time",
      "is_counted", "result", "failure", "has_conflict",
    ])
  static let report = DigestedColumns(
    table: "reports", digest: "digest", name: "a report of attempt",
    columns: ["token", "step", "trial", "objectives"])
  static let warmStart = DigestedColumns(
    table: "warm_starts", digest: "digest", name: "the warm start of trial", columns: ["trial", "data"])
  static let study = DigestedColumns(
    table: "study", digest: "digest", name: "the study's row", columns: ["id", "definition", "header"])

  static let all = [origin, outcome, attempt, report, warmStart, study]

  /// The digest of these columns' values, in their order.
  func of(_ values: [(any DatabaseValueConvertible)?]) -> Data {
    RowDigest.of("\(table) \(digest)", values.map { $0?.databaseValue ?? .null })
  }

  /// The digest that belongs to a row that was read with these columns first.
  func of(_ row: Row) -> Data {
    RowDigest.of("\(table) \(digest)", columns.indices.map { row[$0] as DatabaseValue })
  }

  /// Writes the digests of all rows that are there, as they are now.
  func fill(_ db: Database) throws {
    let list = columns.joined(separator: ", ")
    let rows = try Row.fetchAll(db, sql: "SELECT \(list) FROM \(table)")
    let key = table == "reports" ? "token = ? AND step = ?" : "\(columns[0]) = ?"
    let statement = try db.makeStatement(sql: "UPDATE \(table) SET \(digest) = ? WHERE \(key)")
    for row in rows {
      let identity: [DatabaseValue] = table == "reports" ? [row[0], row[1]] : [row[0]]
      try statement.execute(arguments: StatementArguments([of(row).databaseValue] + identity))
    }
  }
}
