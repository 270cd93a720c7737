import Personalization
import TestSupport
import Testing

@Suite("Times in records", .bounded)
struct RecordTimeTests {
  private static let noon = 1_714_564_800.0

  @Test(
    "every form of one moment is that moment",
    arguments: [
      "2024-05-01T12:00:00Z", "2024-05-01T12:00:00+00:00", "2024-05-01T12:00:00.000Z", "2024-05-01 12:00:00",
      "2024-05-01 12:00:00+00", "2024-05-01T14:00:00+02:00", "2024-05-01T14:00:00+0200", "2024-05-01T14:00:00+02",
      "2024-05-01 14:00:00 +0200", "2024-05-01 12:00:00 UTC", "20240501T120000Z", "2024-05-01T12:00", "2024-05-01T12",
      "2024-05-01t12:00:00z", "2024-W18-3T12:00:00Z", "2024-05-01T06:30:00-05:30", "2024-05-01T06:30:00\u{2212}05:30",
      "2024-05-01T12:00:00,0Z", "2024-05-01T12:00:00.000000000000000000000Z", "1714564800", "1714564800.0",
      "1714564800000",
    ])
  func noon(_ text: String) throws { #expect(try RecordTime.seconds(of: text) == Self.noon) }

  @Test("fractions of any length, dates alone, and the ends of days and calendars") func values() throws {
    func seconds(_ text: String) throws -> Double { try RecordTime.seconds(of: text) }
    #expect(try seconds("2024-05-01T12:00:00.5Z") == Self.noon + 0.5)
    #expect(abs(try seconds("2024-05-01T12:00:00.123456789012345Z") - (Self.noon + 0.123456789)) < 1e-6)
    #expect(try seconds("2024-05-01") == Self.noon - 43_200 && seconds("20240501") == Self.noon - 43_200)
    #expect(try seconds("2024-05") == Self.noon - 43_200)
    #expect(try seconds("1970-01-01") == 0 && seconds("0001-01-01") == -62_135_596_800)
    #expect(try seconds("9999-12-31T23:59:59Z") == 253_402_300_799)
    #expect(try seconds("1969-12-31T23:59:59.25Z") == -0.75)
    #expect(try seconds("2024-02-29") == 1_709_164_800 && seconds("2000-02-29") == 951_782_400)
    // The end of a day is the beginning of the next; a leap second is the second after it.
    #expect(try seconds("2024-05-01T24:00:00Z") == seconds("2024-05-02"))
    #expect(try seconds("2016-12-31T23:59:60Z") == seconds("2017-01-01"))
    #expect(try seconds("2017-01-01T00:59:60+01:00") == seconds("2017-01-01"))
    #expect(RecordTime.seconds(of: 1_714_564_800_123) == 1_714_564_800.123)
    #expect(RecordTime.seconds(of: 1_714_564_800_000_000_000) == Self.noon)
    #expect(RecordTime.seconds(of: 17) == 17 && RecordTime.seconds(of: -5) == -5)
  }

  @Test(
    "what is no moment is refused with a reason",
    arguments: [
      ("2023-02-30", "no day 30"), ("2023-02-29", "no day 29"), ("1900-02-29", "no day 29"),
      ("2024-13-01", "no month 13"),
      ("2024-00-10", "no month 0"), ("2024-04-31T00:00:00Z", "no day 31"), ("0000-01-01", "year 0000"),
      ("2024-05-01T24:00:01Z", "end of the day"), ("2024-05-01T25:00:00Z", "no hour 25"),
      ("2024-05-01T12:60:00Z", "no minute 60"), ("2024-05-01T12:00:60Z", "leap second"),
      ("2024-05-01T12:00:61Z", "no second 61"), ("2024-05-01T12:00:00+24:00", "less than 24 hours"),
      ("2024-05-01T12:00:00 CEST", "zone"), ("2024-05-01T12:00:00 Europe/Berlin", "zone"),
      ("2024-05-01T12:00:00Zx", "text after"), ("2024-5-1", "2 digits"), ("2024/05/01", ""), ("01.05.2024", ""),
      ("yesterday", ""), ("", ""), ("2024-05-01T", "hour"), ("2024-05-01T12:00:00.", "no digits"), ("2024-122", ""),
      ("2024-05T12:00:00Z", ""), ("2021-W53-1", "no week 53"), ("2024-W18-8", "1 to 7"), ("99999999", "no month 99"),
      ("nan", ""), ("inf", ""), ("0x10", ""), ("٢٠٢٤-٠٥-٠١", ""), ("+002024-05-01", ""), ("1e999", "too large"),
      ("2024-05-01T12:00:00+02:60", "below 60"),
    ])
  func refused(_ text: String, _ reason: String) {
    let failure = #expect(throws: RecordTime.Failure.self) { try RecordTime.seconds(of: text) }
    #expect(failure.map { $0.reason.contains(reason) } ?? false || reason.isEmpty, "\(failure?.reason ?? "")")
  }
}
