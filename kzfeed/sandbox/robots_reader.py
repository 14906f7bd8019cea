"""Reader of robots.txt (RFC 9309), with Protego. It runs in a process that can be killed."""

from protego import Protego

from kzfeed.model.pages import RobotsAnswer, RobotsQuestion


def read_robots(question: RobotsQuestion) -> RobotsAnswer:
    """Whether the file allows the agent to fetch the URL, and the pause that it asks for."""
    rules = Protego.parse(question.rules)
    return RobotsAnswer(rules.can_fetch(question.url, question.agent), rules.crawl_delay(question.agent))
