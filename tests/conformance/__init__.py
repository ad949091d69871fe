"""What every kind of target must do, written once.

To put a kind under it, in tests/targets/test_<kind>.py:

1. write a `Subject` (subject.py): the settings of one target, a few small folders (`first`, `second`, `without`, `garbage`), and
   raw looks at the real system that do not go through the target (`look`, `plant`, `tamper`);
2. write a class that inherits the tests and gives the subject, with a fresh system behind it, as a fixture:

       class TestConsul(Conformance):
           @pytest.fixture
           def subject(self, tmp_path, consul) -> ConsulSubject: ...

`watch` is taken to be listening once it has yielded for the first time: yield an empty text then.

A kind with two ways to work (nginx: switch, in-place) has two such classes. What a kind cannot have (nothing foreign can lie in
a directory that is wholly ours) it leaves as the base class has it, and the test says «skipped».
"""
