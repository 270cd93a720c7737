import ArgumentParser
import Experiment
import Foundation

/// Where studies live: `--runs DIR`, else `ENGRAM_RUNS`, else `runs`.
package struct RunsOptions: ParsableArguments {
  @Option(help: "Folder of all studies (default: $ENGRAM_RUNS, else ./runs).") package var runs: String?

  package init() {}

  package var folder: StudiesFolder {
    runs.map { StudiesFolder(URL(fileURLWithPath: $0, isDirectory: true)) } ?? .standard
  }
}
