import Foundation
import Foundations
import TestSupport
import Testing

/// Vectors of NIST (FIPS 180-4 examples and the Secure Hash Algorithm Validation System), and both ways against each other.
@Suite("SHA-256", .bounded) struct SHA256Tests {
  @Test(
    "the examples of FIPS 180-4, on both ways",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
      ),
    ])
  func examples(_ text: String, _ digest: String) {
    for isPortable in [false, true] {
      var hash = SHA256(isPortable: isPortable)
      hash.update(text)
      #expect(hash.hex == digest)
    }
    #expect(SHA256.hex(of: Data(text.utf8)) == digest)
  }

  @Test("a million times a") func million() {
    for isPortable in [false, true] {
      var hash = SHA256(isPortable: isPortable)
      // In pieces that fill no block evenly.
      let piece = String(repeating: "a", count: 999)
      for _ in 0..<1001 { hash.update(piece) }
      hash.update("a")
      #expect(hash.hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
  }

  @Test("however the bytes are cut, both ways agree with one piece") func pieces() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 3) }
    for length in [0, 1, 55, 56, 63, 64, 65, 119, 127, 128, 129, 191, 192, 256, 500, 1000] {
      let reference = bytes[..<length].withUnsafeBytes { bytes in
        var hash = SHA256(isPortable: true)
        hash.update(bytes)
        return hash.hex
      }
      for cut in [1, 7, 31, 63, 64, 65, 127, 128, 200] {
        var hash = SHA256()
        var rest = bytes[..<length]
        while !rest.isEmpty {
          hash.update(Array(rest.prefix(cut)))
          rest = rest.dropFirst(cut)
        }
        #expect(hash.hex == reference, "\(length) bytes in pieces of \(cut)")
      }
    }
  }

  @Test("a digest does not end the hash") func goesOn() {
    var hash = SHA256()
    hash.update("ab")
    #expect(hash.hex != SHA256.hex(of: Data("abc".utf8)))
    hash.update("c")
    #expect(hash.hex == SHA256.hex(of: Data("abc".utf8)))
    #expect(hash.digest.hexadecimal == hash.hex && hash.hex.isSHA256)
  }

  @Test("what is not written as a digest is told") func notDigests() {
    let digest = SHA256.hex(of: Data())
    for text in ["", String(digest.dropLast()), digest + "0", digest.uppercased(), "g" + digest.dropFirst()] {
      #expect(!text.isSHA256, "\(text)")
    }
  }
}
