/// Everything that is wrong with a study's files, found at once.
package struct StudyProblems: Error, CustomStringConvertible {
  /// In the order in which they were found; never empty.
  package let errors: [any Error]

  /// A line for each.
  package var description: String { errors.map { "\($0)" }.joined(separator: "\n") }

  /// Goes on after errors that do not hinder the next check.
  package struct Collector {
    package private(set) var errors: [any Error] = []

    package init() {}

    /// What `body` gives; nil where it fails, and its error is kept.
    package mutating func attempt<T>(_ body: () throws -> T) -> T? {
      do {
        return try body()
      } catch let problems as StudyProblems {
        errors += problems.errors
      } catch {
        errors.append(error)
      }
      return nil
    }

    package mutating func add(_ error: (any Error)?) {
      if let error { errors.append(error) }
    }

    /// Throws what was kept: a single error as it is, several as `StudyProblems`.
    package func finish() throws {
      guard let first = errors.first else { return }
      throw errors.count == 1 ? first : StudyProblems(errors: errors)
    }
  }
}
