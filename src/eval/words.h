// The words that generated texts are made of. The embedded model was trained on texts of the same
// words and sentences (models/demo), so it can answer what is asked about them.
#pragma once

#include <span>
#include <string_view>

namespace unmask::words {

using List = std::span<const std::string_view>;

extern const List kAdjectives;
extern const List kAnimals;
extern const List kNames;
extern const List kCities;
extern const List kLanguages;
extern const List kJobs;
extern const List kRooms;
extern const List kFoods;
extern const List kObjects;
extern const List kVariables;
extern const List kThings;
extern const List kKinds;     // what a needle tells of a thing
extern const List kSubjects;  // of filler sentences, with their article
extern const List kVerbs;
extern const List kPlaces;
extern const List kTails;
extern const List kShortSentences;

}  // namespace unmask::words
