/// What is wrong with a dataset, where, and what to do about it.
public struct DatasetError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The kind of trouble; new kinds may come, so match with a default.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: String { case unreadable, malformed, duplicate, unknownUser, leakage, empty, split, unwritable }
    private let kind: Kind
    /// A file is missing or can not be read.
    public static let unreadable = Code(kind: .unreadable)
    /// A line is not a record of the expected form.
    public static let malformed = Code(kind: .malformed)
    /// Two records share an id.
    public static let duplicate = Code(kind: .duplicate)
    /// A sample names a user that is not in the users' file.
    public static let unknownUser = Code(kind: .unknownUser)
    /// A sample's own response stands in its user's history.
    public static let leakage = Code(kind: .leakage)
    /// There is nothing to work with.
    public static let empty = Code(kind: .empty)
    /// The samples can not be split as asked.
    public static let split = Code(kind: .split)
    /// A file can not be written.
    public static let unwritable = Code(kind: .unwritable)
    public var description: String { kind.rawValue }
  }

  public let code: Code
  /// What went wrong and how it may be remedied.
  public let message: String
  /// The file at fault, if one is.
  public let path: String?
  /// The line at fault, counted from 1.
  public let line: Int?
  /// The column (in characters) at fault, counted from 1, where it is known.
  public let column: Int?

  /// The template at fault, where it is one of a study's file.
  public let key: String?

  public init(
    _ code: Code, _ message: String, path: String? = nil, line: Int? = nil, column: Int? = nil, key: String? = nil
  ) {
    self.code = code
    self.message = message
    self.path = path
    self.line = line
    self.column = column
    self.key = key
  }

  public var description: String {
    let place = [path, line.map(String.init), column.map(String.init)].compactMap { $0 }.joined(separator: ":")
    return place.isEmpty ? message : "\(place): \(message)"
  }
}
