/// What is wrong with a dataset, where, and what to do about it.
package struct DatasetError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The kind of trouble; new kinds may come, so match with a default.
  package struct Code: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: String { case unreadable, malformed, duplicate, unknownUser, leakage, empty, split, unwritable }
    private let kind: Kind
    /// A file is missing or can not be read.
    package static let unreadable = Code(kind: .unreadable)
    /// A line is not a record of the expected form.
    package static let malformed = Code(kind: .malformed)
    /// Two records share an id.
    package static let duplicate = Code(kind: .duplicate)
    /// A sample names a user that is not in the users' file.
    package static let unknownUser = Code(kind: .unknownUser)
    /// A sample's own response stands in its user's history.
    package static let leakage = Code(kind: .leakage)
    /// There is nothing to work with.
    package static let empty = Code(kind: .empty)
    /// The samples can not be split as asked.
    package static let split = Code(kind: .split)
    /// A file can not be written.
    package static let unwritable = Code(kind: .unwritable)
    package var description: String { kind.rawValue }
  }

  package let code: Code
  /// What went wrong and how it may be remedied.
  package let message: String
  /// The file at fault, if one is.
  package let path: String?
  /// The line at fault, counted from 1.
  package let line: Int?
  /// The column (in characters) at fault, counted from 1, where it is known.
  package let column: Int?

  /// The template at fault, where it is one of a study's file.
  package let key: String?

  package init(
    _ code: Code, _ message: String, path: String? = nil, line: Int? = nil, column: Int? = nil, key: String? = nil
  ) {
    self.code = code
    self.message = message
    self.path = path
    self.line = line
    self.column = column
    self.key = key
  }

  package var description: String {
    let place = [path, line.map(String.init), column.map(String.init)].compactMap { $0 }.joined(separator: ":")
    return place.isEmpty ? message : "\(place): \(message)"
  }
}
