/// A model file (checkpoint, configuration, tokenizer or adapter) that cannot be used, with the place and the remedy.
public struct ModelFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of problem it is; new kinds may be added.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private let name: String
    /// The kind in one word.
    public var description: String { name }

    /// The file or folder cannot be opened or read.
    public static let unreadable = Code(name: "unreadable")
    /// The file cannot be written.
    public static let unwritable = Code(name: "unwritable")
    /// The bytes do not follow the format (bad JSON, bad offsets, truncated data).
    public static let malformed = Code(name: "malformed")
    /// The file is well formed but asks for something that is not supported.
    public static let unsupported = Code(name: "unsupported")
    /// A key, tensor or file that must be there is not.
    public static let missing = Code(name: "missing")
    /// Two parts contradict each other (shape and configuration, rank and pattern …).
    public static let mismatch = Code(name: "mismatch")
    /// A size beyond the limits.
    public static let tooLarge = Code(name: "tooLarge")
  }

  /// The kind of problem.
  public let code: Code
  /// What went wrong, where (key, tensor, byte offset) and what to do.
  public let message: String
  /// The file concerned, where known.
  public let file: String?

  /// An error of a kind, in words.
  public init(_ code: Code, _ message: String, file: String? = nil) {
    self.code = code
    self.message = message
    self.file = file
  }

  /// The message, behind the file's path where it is known.
  public var description: String { file.map { "\($0): \(message)" } ?? message }

  /// The same error with its file named, unless one is named already.
  package func inFile(_ path: String) -> ModelFileError {
    file == nil ? ModelFileError(code, message, file: path) : self
  }
}
