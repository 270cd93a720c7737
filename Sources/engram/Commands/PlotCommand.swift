import ArgumentParser
import Console
import Experiment
import Foundation
import Report
import Study
import StudyDatabase

struct PlotCommand: ParsableCommand {
  enum Kind: String, ExpressibleByArgument, CaseIterable {
    case pareto, hypervolume, all

    var plots: [StudyPlots.Kind] {
      switch self {
      case .pareto: [.pareto]
      case .hypervolume: [.hypervolume]
      case .all: StudyPlots.Kind.allCases
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw a study as SVG: its Pareto front, its hypervolume.")
  @Argument(help: "pareto, hypervolume or all.") var kind: Kind
  @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
  @Option(help: "Folder that receives the files (default: the study's plots folder).") var output: String?
  @OptionGroup var runs: RunsOptions

  func run() throws {
    let summary = StudySummary(try runs.folder.observer(study).load())
    let folder =
      output.map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? runs.folder.study(study ?? summary.record.definition.name).url.appendingPathComponent(
        "plots", isDirectory: true)
    let files = try StudyPlots.write(summary, to: folder, kinds: kind.plots)
    guard !files.isEmpty else {
      throw CommandError(.notFound, "\(summary.record.definition.name) has no completed trial to draw yet")
    }
    for file in files { Terminal.print(file.path) }
  }
}
