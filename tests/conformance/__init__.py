"""What every kind of target must do, written once.

To put a kind under it, in tests/targets/test_<kind>.py:

1. write a `Subject` (subject.py): the settings of one target, a few small folders (`first`, `second`, `without`, `garbage`), and
   raw looks at the real system that do not go through the target (`look`, `tamper`, `vandalise` …);
2. write a class that inherits the tests and gives the subject, with a fresh system behind it, as a fixture:

       class TestConsul(Conformance, Adoption, Sickness, Events):
           @pytest.fixture
           def subject(self, tmp_path, consul) -> ConsulSubject: ...

`Conformance` (suite.py) is for all. `Adoption` is for kinds in which something foreign can have a desired name, `Sickness` for
those that can be made unhealthy, `Events` for those with a `watch`, which is taken to be listening once it has yielded for the
first time: yield an empty text then. A kind with two ways to work (nginx: switch, in-place) has two such classes.
"""
