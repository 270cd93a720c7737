/// Everything that is wrong with a study's files, found at once.
public struct StudyProblems: Error, CustomStringConvertible {
  /// In the order in which they were found; never empty.
  public let errors: [any Error]

  /// A line for each.
  public var description: String { errors.map { "\($0)" }.joined(separator: "\n") }

  /// Goes on after errors that do not hinder the next check.
  public struct Collector {
    public private(set) var errors: [any Error] = []

    public init() {}

    /// What `body` gives; nil where it fails, and its error is kept.
    public mutating func attempt<T>(_ body: () throws -> T) -> T? {
      do {
        return try body()
      } catch let problems as StudyProblems {
        errors += problems.errors
      } catch {
        errors.append(error)
      }
      return nil
    }

    public mutating func add(_ error: (any Error)?) {
      if let error { errors.append(error) }
    }

    /// Throws what was kept: a single error as it is, several as `StudyProblems`.
    public func finish() throws {
      guard let first = errors.first else { return }
      throw errors.count == 1 ? first : StudyProblems(errors: errors)
    }
  }
}
