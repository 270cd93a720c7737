import ArgumentParser
import Study

/// Arithmetic of a model: `--dtype`.
package enum DataTypeOption: String, ExpressibleByArgument, CaseIterable {
  case f32, bf16, automatic

  package var precision: StudyConfiguration.Precision {
    switch self {
    case .f32: .f32
    case .bf16: .bf16
    case .automatic: .automatic
    }
  }
}
