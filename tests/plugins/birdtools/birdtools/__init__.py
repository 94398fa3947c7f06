"""Extensions of soundfold for bird recordings: an encoding, a corpus, a merge method, a kind of modules."""
