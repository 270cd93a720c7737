import Foundation
import Foundations

/// The plot files of a study.
package enum StudyPlots {
  /// What can be drawn.
  package enum Kind: String, CaseIterable, Sendable { case pareto, hypervolume }

  /// Writes what can be drawn already and returns the files.
  package static func write(_ summary: StudySummary, to folder: URL, kinds: [Kind] = Kind.allCases) throws
    -> [URL]
  {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var files: [URL] = []
    for kind in kinds {
      let text = kind == .pareto ? summary.paretoPlot()?.render() : summary.hypervolumePlot()?.render()
      guard let text else { continue }
      let file = folder.appendingPathComponent("\(kind.rawValue).svg")
      try AtomicFile.write(text, to: file, mode: nil)
      files.append(file)
    }
    return files
  }
}
