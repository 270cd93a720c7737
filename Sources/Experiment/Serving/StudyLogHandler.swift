import Foundations
import Logging
import Report

/// Log lines of a study to whoever shows or keeps them.
package struct StudyLogHandler: LogHandler {
  package var logLevel: Logger.Level
  package var metadata: Logger.Metadata = [:]
  package let write: @Sendable (String) -> Void

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    // Messages carry names and texts of workers: one line each, whatever those hold.
    write(PrintableText.line("\(event.level): \(event.message)"))
  }

  package static func logger(level: Logger.Level = .warning, write: @escaping @Sendable (String) -> Void) -> Logger {
    Logger(label: "engram") { _ in StudyLogHandler(logLevel: level, write: write) }
  }
}
