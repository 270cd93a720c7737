import BayesianOptimization

extension SearchSpace {
  /// The key of a configuration; its own text where it lies outside the space, which equals no key of the space.
  ///
  /// Trials that were attached or carried over before the space was narrowed keep their place in a study's history.
  package func identity(of configuration: Configuration) -> String {
    // Outside the space there is no key.
    (try? key(configuration)) ?? configuration.description
  }
}
