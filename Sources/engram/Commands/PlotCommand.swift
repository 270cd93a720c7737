import ArgumentParser
import Console
import Experiment
import Foundation
import Report
import Study
import StudyDatabase

struct PlotCommand: ParsableCommand {
  enum Kind: String, ExpressibleByArgument, CaseIterable { case pareto, hypervolume, all }

  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw a study as SVG: its Pareto front, its hypervolume.")
  @Argument(help: "pareto, hypervolume or all.") var kind: Kind
  @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
  @Option(help: "Folder that receives the files (default: the study's plots folder).") var output: String?
  @OptionGroup var runs: RunsOptions

  func run() throws {
    let summary = StudySummary(try runs.observer(study).load())
    let folder =
      output.map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? runs.study(study ?? summary.record.definition.name).url.appendingPathComponent("plots", isDirectory: true)
    let files = try StudyPlots.write(summary, to: folder, kinds: kind == .all ? [.pareto, .hypervolume] : [kind])
    guard !files.isEmpty else {
      throw CommandError(.notFound, "\(summary.record.definition.name) has no completed trial to draw yet")
    }
    for file in files { Terminal.print(file.path) }
  }
}

/// The plot files of a study.
enum StudyPlots {
  /// Writes what can be drawn already and returns the files.
  static func write(_ summary: StudySummary, to folder: URL, kinds: [PlotCommand.Kind] = [.pareto, .hypervolume]) throws
    -> [URL]
  {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var files: [URL] = []
    for kind in kinds {
      let text = kind == .pareto ? summary.paretoPlot()?.render() : summary.hypervolumePlot()?.render()
      guard let text else { continue }
      let file = folder.appendingPathComponent("\(kind.rawValue).svg")
      try Data(text.utf8).write(to: file, options: .atomic)
      files.append(file)
    }
    return files
  }
}
