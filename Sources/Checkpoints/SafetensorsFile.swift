import Foundation
import ModelFiles
import StrictJSON

/// A memory-mapped safetensors file: 8 bytes header length (little-endian), a JSON header, the tensor data.
///
/// The header is checked completely when the file is opened, by the rules of the reference implementation: known
/// types, shapes that fit their bytes, offsets in range that cover the data without gaps or overlaps, no duplicate
/// names. Nothing is copied.
public struct SafetensorsFile: Sendable {
  /// Headers beyond this size are refused, as in the reference implementation.
  public static let maximumHeaderSize = 100_000_000

  package let file: MappedFile
  /// The tensors in order of their offsets.
  public let tensors: [TensorView]
  /// The `__metadata__` strings.
  public let metadata: [String: String]

  private let index: [String: Int]

  /// Opens and checks the file at `url`.
  ///
  /// Throws `ModelFileError` that names the tensor and the rule it breaks.
  public init(_ url: URL) throws { try self.init(MappedFile(url)) }

  /// Checks a file that is mapped already.
  init(_ file: MappedFile) throws {
    let url = file.url
    self.file = file
    (tensors, metadata) = try naming(url.path) { try Self.read(file) }
    index = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    guard index.count == tensors.count else {
      throw ModelFileError(.malformed, "two tensor names are canonically equivalent", file: url.path)
    }
  }

  /// The tensor of that name, or nil.
  public subscript(name: String) -> TensorView? { index[name].map { tensors[$0] } }

  private static func read(_ file: MappedFile) throws -> ([TensorView], [String: String]) {
    let bytes = file.bytes
    guard bytes.count >= 8 else {
      throw ModelFileError(.malformed, "\(bytes.count) bytes are too few for a safetensors file; is it a Git LFS stub?")
    }
    let declared = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard declared <= UInt64(maximumHeaderSize) else {
      throw ModelFileError(.tooLarge, "the header declares \(declared) bytes, the limit is \(maximumHeaderSize)")
    }
    let headerSize = Int(declared)
    guard headerSize <= bytes.count - 8 else {
      throw ModelFileError(.malformed, "the header declares \(headerSize) bytes, the file ends before; is it complete?")
    }
    let headerBytes = UnsafeRawBufferPointer(rebasing: bytes[8..<(8 + headerSize)])
    // The format asks for '{' at once; as the reference, this passes over blanks.
    guard headerBytes.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "{") else {
      throw ModelFileError(.malformed, "the header does not start with '{': not a safetensors file")
    }
    guard case .object(let header) = try JSONParser.parse(headerBytes.bindMemory(to: UInt8.self)) else {
      throw ModelFileError(.malformed, "the header is not a JSON object")
    }
    var metadata: [String: String] = [:]
    var entries: [Entry] = []
    entries.reserveCapacity(header.members.count)
    for (name, value) in header.members {
      if name == "__metadata__" {
        metadata = try readMetadata(value)
      } else {
        entries.append(try Entry(name, value))
      }
    }
    entries.sort { ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name) }
    return (try views(entries, file, from: 8 + headerSize), metadata)
  }

  /// Checks that the entries tile the data, which begins at byte `start`, and makes their views.
  private static func views(_ entries: [Entry], _ file: MappedFile, from start: Int) throws -> [TensorView] {
    let size = file.bytes.count - start
    var end = 0
    var views: [TensorView] = []
    views.reserveCapacity(entries.count)
    for entry in entries {
      guard entry.begin == end else {
        let problem = entry.begin < end ? "overlaps the tensor before it" : "leaves a gap before it"
        throw ModelFileError(.malformed, "tensor '\(entry.name)' \(problem) (offset \(entry.begin), expected \(end))")
      }
      guard entry.end <= size else {
        throw ModelFileError(
          .malformed, "tensor '\(entry.name)' ends at \(entry.end), the data has \(size) bytes: truncated file?")
      }
      end = entry.end
      views.append(
        TensorView(
          name: entry.name, type: entry.type, shape: entry.shape,
          file: file, range: (start + entry.begin)..<(start + entry.end)))
    }
    guard end == size else {
      throw ModelFileError(.malformed, "\(size - end) bytes after the last tensor belong to none")
    }
    return views
  }

  private static func readMetadata(_ value: JSONValue) throws -> [String: String] {
    // As in the reference, null is the same as nothing; some converters write it.
    if value.isNull { return [:] }
    guard case .object(let object) = value else {
      throw ModelFileError(.malformed, "__metadata__ must be an object of strings, found \(value.kind)")
    }
    var metadata: [String: String] = [:]
    for (key, value) in object.members {
      guard case .string(let text) = value else {
        throw ModelFileError(.malformed, "__metadata__ '\(key)' must be a string, found \(value.kind)")
      }
      metadata[key] = text
    }
    return metadata
  }

  /// One header entry: `{"dtype": …, "shape": […], "data_offsets": [begin, end]}`.
  private struct Entry {
    let name: String
    let type: TensorType
    let shape: [Int]
    let begin: Int
    let end: Int

    init(_ name: String, _ value: JSONValue) throws {
      self.name = name
      guard case .object(let object) = value else {
        throw ModelFileError(.malformed, "tensor '\(name)': expected an object, found \(value.kind)")
      }
      for (key, _) in object.members where !["dtype", "shape", "data_offsets"].contains(key) {
        throw ModelFileError(.malformed, "tensor '\(name)': unknown key '\(key)'")
      }
      guard let typeName = try object.string("dtype") else {
        throw ModelFileError(.malformed, "tensor '\(name)' has no dtype")
      }
      guard let type = TensorType(rawValue: typeName) else {
        throw ModelFileError(.unsupported, "tensor '\(name)' has the unknown dtype '\(typeName)'")
      }
      self.type = type
      shape = try Self.sizes(object, "shape", name)
      let offsets = try Self.sizes(object, "data_offsets", name)
      guard offsets.count == 2, offsets[0] <= offsets[1] else {
        throw ModelFileError(.malformed, "tensor '\(name)': data_offsets must be [begin, end]")
      }
      (begin, end) = (offsets[0], offsets[1])
      var size = type.size
      for dimension in shape {
        let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
        guard !overflow else { throw ModelFileError(.malformed, "tensor '\(name)': its shape overflows") }
        size = product
      }
      guard size == end - begin else {
        throw ModelFileError(
          .malformed, "tensor '\(name)': shape \(shape) of \(typeName) needs \(size) bytes, offsets give \(end - begin)"
        )
      }
    }

    private static func sizes(_ object: JSONObject, _ key: String, _ name: String) throws -> [Int] {
      guard let items = try object.array(key) else {
        throw ModelFileError(.malformed, "tensor '\(name)' has no \(key)")
      }
      return try items.map {
        guard case .integer(let size) = $0, size >= 0 else {
          throw ModelFileError(.malformed, "tensor '\(name)': \(key) must hold non-negative integers")
        }
        return size
      }
    }
  }
}
