import Foundations
import Foundation
import LanguageModel
import Personalization

extension FileProblem {
  /// What is wrong with the disk or a folder of this machine, if that is what an error says; nil for every other error.
  static func storage(_ error: any Error) -> String? {
    switch error {
    case let error as ModelFileError where error.code == .unwritable: return error.description
    case let error as FileError where isStorage(error.errorNumber):
      return "\(error); \(remedy(error.errorNumber))"
    case let error as DatasetError where error.code == .unwritable: return error.description
    case is CocoaError, is POSIXError:
      guard let code = systemCode(error), isStorage(code) else { return nil }
      let path = (error as? CocoaError).flatMap { $0.filePath ?? $0.url?.path }
      return (path.map { "\($0): " } ?? "") + "\(reason(code)); \(remedy(code))"
    default: return nil
    }
  }
}
