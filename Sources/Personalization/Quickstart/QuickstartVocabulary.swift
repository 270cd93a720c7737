/// The closed world of the quickstart: what people post, ask and answer.
///
/// Every value is one word that stands nowhere else, so that a reply's facts can be counted exactly.
enum QuickstartVocabulary {
  /// One kind of personal fact.
  struct Category: Sendable {
    var name: String
    /// Twelve one-word values.
    var values: [String]
    /// Four posts that mention the value (`*`).
    var posts: [String]
    /// Five ways to ask for it; the last one is kept for histories.
    var questions: [String]
    /// Three ways to answer.
    var answers: [String]

    init(_ name: String, _ values: String, posts: [String], questions: [String], answers: [String]) {
      self.name = name
      self.values = values.split(separator: " ").map(String.init)
      self.posts = posts
      self.questions = questions
      self.answers = answers
    }
  }

  /// First parts of user ids; with `numbers` they give 144 ids of two tokens each.
  static let names = [
    "fern", "moss", "reed", "sage", "ash", "elm", "oak", "ivy", "wren", "lark", "fox", "hare",
  ]
  /// Second parts of user ids.
  static let numbers = (10..<22).map(String.init)

  /// Each user starts what he says with one of these.
  static let openers = [
    "well", "hey", "oh", "look", "right", "honestly", "listen", "hmm", "okay", "sure", "frankly", "yes",
  ]
  /// Each user ends what he says with one of these.
  static let closers = [
    "cheers", "pal", "mate", "haha", "really", "indeed", "thanks", "bye", "peace", "truly", "folks", "anyway",
  ]

  static let categories: [Category] = [
    Category(
      "pet", "cat dog parrot rabbit turtle hamster goldfish lizard pony goat ferret snail",
      posts: [
        "my * was asleep on the bed all day", "i took my * to the doctor this week", "the * at home made a mess today",
        "i got new toys for my little *",
      ],
      questions: [
        "which pet do you have", "what animal lives with you", "what kind of pet is at home",
        "who is your animal friend",
        "do you keep a pet",
      ],
      answers: ["i have a * at home", "my pet is a *", "it is a * that lives with me"]),
    Category(
      "allergy", "pollen peanut dust latex shellfish wheat soy mold nickel sesame egg bee",
      posts: [
        "the * made my nose run again", "i had to stay away from * all day", "there was * and my skin was bad",
        "no more * for me this week",
      ],
      questions: [
        "what are you allergic to", "which allergy do you have", "what makes your skin sore",
        "what must you stay away from", "is there an allergy to know of",
      ],
      answers: ["i am allergic to *", "my allergy is *", "it is * that makes me ill"]),
    Category(
      "city", "oslo paris rome berlin madrid lisbon vienna dublin athens prague cairo lima",
      posts: [
        "the streets of * were full this week", "i took a long walk in * today", "it was a cold day here in *",
        "my house in * is small",
      ],
      questions: [
        "where do you live", "which city is your home", "what town are you in", "in what place is your house",
        "where are you at home",
      ],
      answers: ["i live in *", "my home is in *", "it is * where i live"]),
    Category(
      "job", "nurse baker pilot farmer teacher lawyer plumber actor tailor judge miner chef",
      posts: [
        "my work as a * was hard this week", "a day in the life of a * is long", "i got more pay as a * today",
        "they made me a better * at work",
      ],
      questions: [
        "what is your job", "what work do you do", "which job pays you", "what are you at work",
        "how do you make a living",
      ],
      answers: ["i work as a *", "my job is to be a *", "it is as a * that i work"]),
    Category(
      "food", "pizza sushi curry pasta tacos ramen salad burger soup steak noodles pie",
      posts: [
        "i made * for all of us today", "we had the best * in town", "there was * on the table again",
        "a big plate of * made my day",
      ],
      questions: [
        "what food do you like most", "which dish is your best", "what do you like to eat",
        "what should i cook for you",
        "what is on your plate",
      ],
      answers: ["i like * most", "my food is *", "it is * that i eat"]),
    Category(
      "drink", "coffee tea cocoa cider juice milk lemonade wine beer soda mead water",
      posts: [
        "i had a cup of * this morning", "a glass of * was all i had today", "there was no * left at home",
        "the * here is so good",
      ],
      questions: [
        "what drink do you like most", "which drink is yours", "what do you like to drink",
        "what should i pour for you",
        "what is in your cup",
      ],
      answers: ["i like to drink *", "my drink is *", "it is * in my cup"]),
    Category(
      "sport", "tennis golf rugby hockey boxing rowing judo soccer cricket skiing surfing fencing",
      posts: [
        "i was at * with the team today", "we lost at * again this week", "a long hour of * and i was done",
        "the * club is so much fun",
      ],
      questions: [
        "what sport do you do", "which sport is yours", "what do you train for", "what game do you play with the team",
        "how do you keep fit",
      ],
      answers: ["i do * every week", "my sport is *", "it is * that i train for"]),
    Category(
      "instrument", "piano violin guitar flute drums cello trumpet harp banjo oboe organ tuba",
      posts: [
        "i played the * for an hour today", "my old * is out of tune again", "there was a * on the stage this week",
        "the * in my room is so loud",
      ],
      questions: [
        "which instrument do you play", "what do you play in the band", "what makes the music at home",
        "what instrument is yours", "do you play music",
      ],
      answers: ["i play the *", "my instrument is the *", "it is the * that i play"]),
    Category(
      "medicine", "insulin aspirin zinc iron codeine statin cortisone iodine morphine lithium biotin quinine",
      posts: [
        "i took my * late this morning", "the doctor gave me more * today", "my box of * was gone again",
        "no day without * for me",
      ],
      questions: [
        "what medicine do you take", "which medicine is yours", "what did the doctor give you",
        "what is in your medicine box", "do you take a medicine",
      ],
      answers: ["i take * every day", "my medicine is *", "it is * that i take"]),
    Category(
      "colour", "red blue green yellow purple orange black white pink brown grey silver",
      posts: [
        "i made the door * this week", "my new coat is *", "a * car was at the house today",
        "there was * paint on the floor again",
      ],
      questions: [
        "what colour do you like most", "which colour is yours", "what colour is your coat",
        "what colour should i paint it", "do you have a best colour",
      ],
      answers: ["i like * most of all", "my colour is *", "it is * that i like"]),
    Category(
      "hobby", "chess knitting pottery fishing painting baking hiking sailing reading sewing gardening poker",
      posts: [
        "an hour of * and the day is good", "i was at * all week", "my friend and i did some * today",
        "there is no time for * again",
      ],
      questions: [
        "what is your hobby", "which hobby do you have", "what do you do for fun", "what do you do at the weekend",
        "how do you spend your time",
      ],
      answers: ["i spend my time on *", "my hobby is *", "it is * that i do for fun"]),
    Category(
      "fear", "spiders heights thunder snakes clowns needles ghosts crowds sharks bats fire wolves",
      posts: [
        "i saw * and ran home today", "a film with * made me cry again", "the talk of * was too much this week",
        "i will not sleep with * on my mind",
      ],
      questions: [
        "what are you afraid of", "which fear do you have", "what makes you run away", "what is your worst fear",
        "what do you not like to see",
      ],
      answers: ["i am afraid of *", "my fear is *", "it is * that i fear"]),
  ]
}
