"""Word lists of the training texts. With a space in front, each word is one token."""

ADJECTIVES = """brave calm eager fancy gentle happy jolly kind lively merry nimble proud quick rusty
silly tender unusual vivid witty young zesty ancient bitter clever dusty elegant fierce golden hollow
icy jagged keen lonely mighty narrow odd plain quiet royal sturdy tiny upset velvet warm yellow shiny
bold cosmic dapper earnest frosty grumpy humble ivory jumpy knotty lucky mellow noisy olive polite
rapid silent tidy""".split()
ANIMALS = """otter falcon badger camel donkey eagle ferret gecko heron iguana jackal koala lemur
marmot newt ocelot panda quail rabbit salmon tiger urchin vulture walrus yak zebra antelope beetle
cobra dolphin emu fox goose hamster ibex jaguar kiwi lizard moose narwhal octopus parrot raven seal
toad viper wombat bison crane dingo finch gibbon hyena lynx magpie mole orca puma rhino sloth stork
swan tapir weasel""".split()
NAMES = """Mary John Alice Peter Nora Oscar Lucy Henry Clara David Emma Frank Grace Hugo Irene Jack
Karen Leo Mona Nick Olga Paul Quinn Rosa Simon Tina Victor Wendy Adam Bella Carl Diana Edgar Fiona
George Helen Ivan Julia Kevin Laura""".split()
ROOMS = """kitchen garden office bathroom hallway bedroom cellar garage attic library balcony
pantry""".split()
CITIES = """Oslo Paris Lima Cairo Delhi Quito Tokyo Milan Perth Dublin Havana Lagos Malta Nairobi
Osaka Prague Riga Seoul Tunis Vienna Warsaw Zurich Boston Denver Geneva Hanoi Jaipur Kyoto Lisbon
Madrid""".split()
LANGUAGES = """Zorvan Belic Tamarin Quorish Lendal Morvic Pelan Sarkan Ulbic Vendish Wexan Yorlan
Drobic Farsal Gelnic Havish Ilmar Jendic Kaldic Norbic""".split()
JOBS = """baker pilot nurse farmer tailor painter lawyer singer sailor teacher dentist plumber writer
miner judge cook""".split()
FOODS = "bread rice soup cheese pasta salad cake honey fish beans".split()
VARIABLES = """alpha beta gamma delta epsilon zeta theta iota kappa lambda sigma omega tango victor
whisky xray yankee zulu bravo charlie echo foxtrot hotel india juliet kilo lima mike november oscar
papa quebec romeo sierra uniform nova pulsar quasar comet meteor orbit photon quark boson gluon lepton
proton vector matrix tensor scalar kernel module packet socket thread buffer cursor""".split()
THINGS = """river stone cloud forest window table chair bridge road mountain valley island harbor
market tower castle engine wheel paper silver copper iron glass cotton wool leather sugar salt pepper
lemon cherry grape melon onion potato carrot pumpkin tomato butter summer winter spring autumn morning
evening night thunder rain snow wind storm desert ocean lake pond meadow hill cave cliff
beach""".split()
KINDS = ["code", "number", "secret", "price"]

SUBJECTS = ["the old man", "a small child", "the tall woman", "our neighbor", "the night guard",
            "a young student", "the village doctor", "my cousin", "the shop owner",
            "a tired traveler", "the school choir", "her best friend", "the local band",
            "a group of people", "the bus driver", "his uncle"]
VERBS = ["walked to", "looked at", "wrote about", "talked about", "drove past", "waited near",
         "dreamed of", "sat beside", "ran around", "smiled at", "cleaned", "painted", "visited",
         "forgot", "remembered", "described"]
PLACES = ["the big house", "the long street", "a wooden bench", "the open field",
          "the empty station", "a busy market", "the stone bridge", "the old school",
          "a green hill", "the quiet lake", "the broken gate", "a narrow path", "the city museum",
          "the train", "a large ship", "the new theater"]
TAILS = ["in the morning", "after lunch", "before dark", "during the storm", "on a cold day",
         "last week", "every summer", "for many hours", "without a word", "with great care",
         "at the end of the day", "once again"]
SHORT_SENTENCES = ["It was late.", "Nobody spoke.", "The sun was up.", "Time went by.",
                   "Rain fell.", "All was well.", "The wind was cold.", "Then they left.", "Well.",
                   "Yes.", "So it goes.", "It rained all day and nobody came.",
                   "The music was loud.", "There was no light in the room.",
                   "They had some tea."]
