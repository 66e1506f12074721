"""Who asks: inside, in coroutines that were started there, and not after."""

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.trial.unittest import TestCase

from kasmd.log.asking import asked_by, now_asking


class Asker:
    request_id = "p-1"
    principal = None
    address = "10.0.0.1"


class AskingTests(TestCase):
    def test_inside_and_not_after(self):
        one, two = Asker(), Asker()
        self.assertIsNone(now_asking())
        with asked_by(one):
            with asked_by(two):
                self.assertIs(now_asking(), two)
            self.assertIs(now_asking(), one)
            with asked_by(None):
                self.assertIsNone(now_asking())
        self.assertIsNone(now_asking())

    def test_an_error_ends_it_too(self):
        with self.assertRaises(ValueError), asked_by(Asker()):
            raise ValueError
        self.assertIsNone(now_asking())

    def test_coroutines_that_were_started_inside_keep_it(self):
        asker, news = Asker(), [Deferred(), Deferred()]

        @inlineCallbacks
        def old(news):
            yield news
            return now_asking()

        async def new(news):
            await news
            return now_asking()

        with asked_by(asker):
            started = [old(news[0]), Deferred.fromCoroutine(new(news[1]))]
        for each in news:
            each.callback(None)
        for each in started:
            self.assertIs(self.successResultOf(each), asker)
