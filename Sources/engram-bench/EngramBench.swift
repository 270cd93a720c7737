import ArgumentParser
import Console

/// `engram-bench`: measures this machine.
@main
struct EngramBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engram-bench",
    abstract: "Measure this machine: the search core, the language-model engine, the runtime.",
    subcommands: [
      SearchBench.self, ProposalBench.self, QualityBench.self, ModelBench.self, TokenizerBench.self,
      CheckpointBench.self, ClusterBenchCommand.self, SwarmCommand.self,
    ])

  static func main() async { await Program.run(Self.self) }
}
