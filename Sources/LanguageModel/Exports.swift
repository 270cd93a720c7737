// Whoever uses the engine loads checkpoints and tokenizers, too: one import brings them along.
@_exported import Checkpoints
@_exported import ModelFiles
@_exported import Tokenizers
