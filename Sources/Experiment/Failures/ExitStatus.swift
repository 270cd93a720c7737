import BayesianOptimization
import Foundations
import Foundation
import LanguageModel
import Personalization
import Processes
import Study
import Transport
import Worker

/// An error of the command line itself: the status to exit with, what went wrong and what to do.
package struct CommandError: Error, CustomStringConvertible {
  package var status: ExitStatus
  package var message: String

  package init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  package var description: String { message }
}

extension ExitStatus {
  /// The status and text for any error that reaches the command line.
  package static func describe(_ error: any Error) -> (ExitStatus, String) {
    switch error {
    case let error as CommandError: return (error.status, error.message)
    case let error as ConfigurationError:
      return (error.isMissingFile ? .notFound : .usage, error.description)
    case let error as StudyProblems:
      let all = error.errors.map(describe)
      return (all.first?.0 ?? .usage, all.map(\.1).joined(separator: "\n"))
    case let error as EvaluationError where error.kind == .unavailable: return (.unexpected, error.description)
    case let error as StudyError: return (status(of: error.code), error.description)
    case is CancellationError, is TrialCancelled: return (.interrupted, "interrupted")
    case let error as ModelFileError: return (status(of: error.code), error.description)
    case let error as FileError: return (error.isMissing ? .notFound : .storage, error.description)
    case let error as DatasetError: return (status(of: error.code), error.description)
    case let error as TransportError: return (status(of: error.code), error.description)
    case is SearchSpaceError, is AdapterError, is GenerationError: return (.usage, "\(error)")
    case let error as TrainingError where error.code != .diverged: return (.usage, error.description)
    case EncodingError.invalidValue(let value, let context):
      let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
      return (.unexpected, "\(path) is \(value), which JSON cannot hold. Use another --format")
    case let error as CocoaError: return (status(of: error), describe(error))
    default: return (.unexpected, "\(error)")
    }
  }

  private static func status(of code: StudyError.Code) -> ExitStatus {
    switch code {
    case .notFound, .unknownTrial, .unknownToken: .notFound
    case .locked, .alreadyExists, .conflictingResult, .duplicateKey, .wrongStudy, .illegalTransition,
      .sequenceConflict:
      .conflict
    case .newerSchema: .refused
    case .busy: .temporary
    case .invalidResult: .usage
    default: .storage
    }
  }

  private static func status(of code: ModelFileError.Code) -> ExitStatus {
    switch code {
    case .missing, .unreadable: .notFound
    case .unwritable: .storage
    default: .usage
    }
  }

  private static func status(of code: DatasetError.Code) -> ExitStatus {
    switch code {
    case .unreadable: .notFound
    case .unwritable: .storage
    default: .usage
    }
  }

  private static func status(of code: TransportError.Code) -> ExitStatus {
    switch code {
    case .addressInUse, .keyExists: .conflict
    case .keysRequired, .libraryTooOld, .permissionDenied, .unsafeFolder: .refused
    case .keyNotFound: .notFound
    case .badEndpoint, .badKey, .addressNotAvailable: .usage
    default: .unexpected
    }
  }

  private static func status(of error: CocoaError) -> ExitStatus {
    switch error.code {
    case .fileNoSuchFile, .fileReadNoSuchFile: .notFound
    case .fileWriteOutOfSpace, .fileWriteNoPermission, .fileWriteVolumeReadOnly: .storage
    case .fileReadNoPermission: .refused
    default: .unexpected
    }
  }

  private static func describe(_ error: CocoaError) -> String {
    let path = error.filePath ?? error.url?.path
    let place = path.map { "\($0): " } ?? ""
    switch error.code {
    case .fileNoSuchFile, .fileReadNoSuchFile: return "\(place)no such file. Check the path"
    case .fileWriteOutOfSpace: return "\(place)the disk is full. Free space and run the same command again"
    case .fileWriteNoPermission, .fileReadNoPermission: return "\(place)permission denied. Check the owner and mode"
    default: return "\(place)\(FileProblem.reason(error))"
    }
  }
}
