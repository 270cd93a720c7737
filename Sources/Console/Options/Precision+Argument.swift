import ArgumentParser
import MemoryRecipe

extension Precision: ExpressibleByArgument {}
