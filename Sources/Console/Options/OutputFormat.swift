import ArgumentParser
import Foundation
import Report

/// How data is printed.
package enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json, csv
}

package struct FormatOptions: ParsableArguments {
  @Option(name: .long, help: "How to print: table, json or csv.")
  package var format: OutputFormat = .table

  package init() {}
}

extension TextTable {
  /// Prints the table as text or CSV; JSON is the caller's, as it knows the types.
  package func print(as format: OutputFormat) {
    Terminal.print(format == .csv ? csv : text)
  }
}
