"""What is said in English to an offer: phrases by what they do (`consent.Part`).

Contractions are written out before (`wording.read`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def _flat(pattern: str) -> str:
    """A pattern without the line breaks and indents that make it readable."""
    return re.sub(r"\s*\n\s*", "", re.sub(r"\s+\| ", "|", pattern)).strip()


_SOFTLY = r"(?:(?:please|just|now|really|also|still|first|quickly|at least|rather) ){0,3}"
_WISHED = (
    r"(?:i (?:(?:really|do|truly) ){0,2}(?:want|need|wish|have|prefer) to"
    r"|i would (?:really )?(?:like|love|prefer) to|i would rather)"
)
_INTENDED = rf"(?:{_WISHED}|i (?:will|can|could|must|should|mean to|am going to)|ill)"
_TOGETHER = (
    r"(?:(?:can|could|may|might|shall|should) (?:we|i|you)|let us|we (?:can|could|should|may|will)"
    r"|you (?:can|may|could|should)|is it (?:okay|ok|possible|all right) (?:if (?:we|i)|to)"
    r"|i think (?:we|i|you) (?:can|should|could))"
)
_MAY = rf"(?:{_SOFTLY}(?:{_WISHED}|{_TOGETHER}) )?{_SOFTLY}"
_INTERVIEW = r"(?:(?:the |this |our |my )?(?:whole )?(?:interview|session|practice))"
_HERE = (
    r"(?: (?:here|there|now|then|today|for today|for now|right here|right now|early"
    r"|at this point|already|please))"
)
_IT = r"(?: (?:it|this|that))"
_NEXT = (
    r"(?:(?:the |a |an )?(?:next|different|other|another|new|one more|last) (?:question|one|topic))"
)
_THE_QUESTION = (
    r"(?:(?:this|that|the|my|your)(?: (?:last|whole|current))? (?:question|one)|it|this|that)"
)
_NOT = r"(?:(?:i |we |you |please )?(?:do|did|would|will|should|can|could|let us|am|are) not|never)"

_YES = r"""
    yes+ | yeah+ | yep | yup | yea | yeh | ya | ye | yas+ | y | aye | sure(?: thing)?
  | affirmative | agreed | alright | all right | fine | ok | okay | okie | k | please do
  | do (?:it|that|so) | let us(?: do (?:it|that|so)|$) | why not | sounds good | by all means
  | that is fine | that would be (?:okay|ok|fine|great|good|nice|perfect|lovely|all right)
  | si | sí | ja | oui
"""
_EMPHATIC = r"""
    of course | absolutely | definitely | certainly | totally
"""
_YES_TO_THAT = r"""
    exactly | correct | right | true | indeed | i do$ | i would(?: like (?:that|to))?$
  | (?:i am )?(?:(?:quite|very|absolutely|totally|pretty) )?(?:sure|certain)(?: (?:of|about) it)?
  | (?:i am )?afraid (?:so|i (?:do|must|have to))$
  | that is (?:right|correct|true|what i want(?:ed)?) | i think so
  | i (?:guess|suppose) so | great | perfect | good
  | (?:(?:you|we) (?:can|may)|i want(?: to| that))$
"""
_HUM = r"mhm+|m+h+m+|mm+|uhhuh|uh huh|aha"
_NO = r"""
    no (?:way|thanks|thank you|need(?: to)?|please) | no+ | nope | nah | naw | n | negative
  | (?:that (?:will|would) not be|it is not|not) necessary | there is no need
  | not (?:now|yet|today|here)(?: please)? | please (?:not|do not) | do not(?: do (?:it|that))?
  | let us not | better not | non | nein
"""
_NO_TO_THAT = r"""
    never(?: mind)? | not (?:at all|really|exactly|necessarily|so fast) | i do not(?: think so)?
  | (?:absolutely|certainly|of course|definitely|rather) not | i did not(?: (?:mean|say|want)
    (?: (?:that|it|to))?)?
  | i do not (?:(?:want|wish|need) (?:to|that|it)|mean (?:that|it))
  | i would (?:rather|prefer) not(?: to)? | forget it | i would not(?: (?:like|want) (?:to|that))?
  | (?:i|we) (?:really )?(?:do|can|will|would) not$ | i never (?:said|meant|wanted) (?:that|it|to)
"""
_CONTINUE = (
    rf"(?:continue|go on|going on|carry on|keep (?:on )?(?:going|talking|asking)|proceed|resume"
    rf"|keep it (?:going|up))(?: (?:with )?(?:{_INTERVIEW}|{_THE_QUESTION}|please|now|then"
    rf"|a (?:bit|little)(?: longer)?|further|asking)){{0,3}}"
)
_UNSURE = rf"""
    (?:good|not|fair|long|close) enough | (?:i|we) do not {_CONTINUE}
  | (?:i (?:am|was) )?not (?:really |so |quite |that |entirely )?sure(?: yet)?
  | (?:i )?(?:do|did) not (?:really )?know | maybe | perhaps | (?:it |that )?depends | later
  | what | which | how | why | who | when | where
"""
_FILLER = r"""
    um+ | w?oops | uh+ | er+m? | h+m+ | ah+ | oh+ | well | so | sorry | actually | and | but
  | hey | please
  | thanks(?: a lot)? | thank you(?: (?:very|so) much)?(?: for (?:your|the) (?:time|questions))?
  | honestly | then | now | damn(?: it)? | god | hell | (?:for )?(?:god|heaven)s? sake
  | no (?:problem|worries|doubt|hard feelings) | really | dear | because | since
  | it (?:was|is|has been) (?:(?:so|very|really) )*(?:a )?(?:nice|great|good|lovely|pleasure)
    (?:(?: to)? (?:talk|speak|chat|meet)(?:ing)?(?: (?:to|with))? you|(?<=pleasure))
  | it is (?:okay|ok|fine|all right) | (?:very )?much | have a (?:nice|good) (?:day|one|evening)
"""
_MUST = (
    r"(?:(?:i )?(?:(?:really|do) )?(?:have(?: got)?|need|want|must|should|got|am going)(?: to)?)"
)
_FAMILY = (
    r"(?:kids?|child|children|sons?|daughters?|baby|wife|husband|mother|mum|mom|father|dad|parents"
    r"|family|boss|partner|girlfriend|boyfriend)"
)
_RIDE = r"(?:bus|train|tram|flight|plane|taxi|cab|ride)"
# All that counts as leaving; what goes on behind it makes it something else.
_LEAVING = rf"""
    i am (?:(?:very|really|so|a bit|a little|too|just|quite|already) ){{0,2}}
    (?:tired|exhausted|late|busy|sick|hungry|leaving|out of time|out|off|in a hurry
    |not feeling (?:so |very )?(?:well|good)|expected(?: at (?:work|home)| elsewhere)?){_HERE}?
  | out of time | no (?:more )?time(?: left)?
  | i (?:do not|have not) (?:got |have )?(?:(?:any|much|more) ){{0,2}}time(?: left)?
  | i (?:do not|am not) feel(?:ing)? (?:(?:so|very|too) )?(?:well|good)
  | my (?:battery|phone|laptop|computer) is (?:(?:almost|nearly|about) )?
    (?:dying|dead|empty|low|to die)
  | my {_RIDE} is (?:here|coming|leaving|waiting)(?: outside)?
  | my (?:time|break) is (?:(?:almost|nearly) )?(?:up|over)
  | my (?:shift|class|meeting) (?:is )?(?:starts?|begins?|starting|beginning)(?: now| soon)?
  | (?:my )?(?:lunch|dinner|food) is ready
  | my {_FAMILY} (?:needs?|(?:is|are) (?:calling|waiting for)) me{_HERE}?
  | (?:someone|somebody) is (?:calling|waiting for) me(?: outside)?
  | {_MUST} go (?:home|to (?:work|school|class|bed|sleep|the (?:doctor|airport|station))){_HERE}?
  | {_MUST} (?:pick up|fetch|get|collect) my {_FAMILY}{_HERE}?
  | {_MUST} catch (?:a|my|the) {_RIDE} | i have (?:a|my) {_RIDE} to catch
"""
_A_MOMENT = (
    r"(?:(?:a|one|just a|just one|another|some|a few|two|\d{1,2}|a little|a bit)(?: more)?"
    r" (?:moments?|seconds?|secs?|minutes?|mins?|time|while|bit)|more time)"
)
_WAIT = (
    rf"(?:(?:wait|hold on|hang on)(?: {_A_MOMENT})?|{_A_MOMENT}|i need {_A_MOMENT}"
    rf"|(?:please )?(?:give|allow) me {_A_MOMENT}(?: to (?:think|answer))?)"
)

# What ends is the interview, the place and the time, or nothing: "end this question" is another
# wish, and "I want to finish" can be either.
_STOPPED = (
    rf"(?:(?:end|stop|quit|exit|terminate|conclude)(?: with)?"
    rf"(?:{_IT}| {_INTERVIEW}|{_HERE}){{0,3}}"
    rf"|(?:close|cancel|abort|finish) {_INTERVIEW}{_HERE}?"
    rf"|leave(?: {_INTERVIEW}|{_HERE}){{0,3}}|be done(?:{_HERE}){{0,2}}|call it a day)"
)
_FINISHED = (
    rf"(?:(?:finish|wrap)(?: up)?(?: (?:it|this|things) up| with)?"
    rf"(?: (?:here|today|for today)| {_INTERVIEW}{_HERE}?))"
)
_END_ACT = rf"""
    {_MAY}{_STOPPED} | {_MAY}{_FINISHED} | let me (?:just )?(?:go|leave|stop|quit)(?:{_HERE}){{0,2}}
  | {_SOFTLY}(?:{_TOGETHER} )?{_SOFTLY}(?:finish|wrap (?:(?:it|this|things) )?up)
    (?:{_IT}|{_HERE}){{0,2}}
  | {_MUST} (?:really )?(?:go|leave|run|be (?:going|off))(?:{_HERE}){{0,2}}
  | i (?:have )?(?:already |just )?(?:told you|said) (?:that )?{_MAY}{_STOPPED}
  | (?:i am |we are |all )(?:all )?(?:done|finished)(?: (?:with )?{_INTERVIEW}|{_HERE}){{0,3}}
  | (?:done|finished)(?: (?:with )?{_INTERVIEW}|{_HERE}){{1,3}}
  | (?:that is|that will be) (?:all|it|enough)(?: (?:from me|for me)|{_HERE}){{0,2}}
  | enough(?: {_INTERVIEW}|{_HERE}){{0,2}}
  | no more(?: questions)?(?:{_HERE}){{0,2}} | nothing (?:more|else) to (?:say|add)
  | (?:good ?)?bye+ | bye bye | see you(?: (?:later|soon|around))? | good night
  | (?:do not (?:really )?
    |(?:(?:i|we) )?(?:(?:can|will|would) not (?:really )?(?:(?:want|like) to )?
    |do not (?:really )?(?:want|wish|like|need|have) to )){_CONTINUE}(?: any ?(?:more|longer))?
  | i would rather not {_CONTINUE}
"""
_SPOKEN_OF = r"(?!interview|session|practice|whole)"
_END_CONTRARY = rf"""
    {_WAIT} | (?:(?:i will|ill) )?{_MAY}{_CONTINUE} | {_MAY}move on(?: to {_NEXT})?
  | {_NOT} (?:(?:want|wish|mean|need|like|have|say|going|ask|asked)(?: to| you to)? )?{_STOPPED}
  | {_NOT} (?:(?:want|wish|mean|need|like|have|say|going)(?: to)? )?
    (?:finish|wrap up)(?:{_IT}|{_HERE}| {_INTERVIEW}){{0,2}}
  | (?:i am |we are )?not (?:(?:quite|really|even|nearly) ){{0,2}}
    (?:done|finished|through|ready|over)(?: yet| here)?
  | let me (?:(?:just|first|please|quickly|at least) ){{0,2}}
    (?:finish|wrap (?:(?:it|this|that) )?up|end|complete|conclude|answer|continue|go on|try|think
    |explain|speak|talk|say (?:one more thing|something)|add something|tell you)
    (?: (?:it|this|that|first|talking|speaking|please|then|{_THE_QUESTION}
    |(?:my|this|that|the) (?:answer|question|thought|point|sentence|story|example|one|part)
    |what i was saying)){{0,3}}
  | (?:{_MAY}|no )(?:finish|complete|answer|wrap up) (?:my|this|that|the|our) {_SPOKEN_OF}\w+
    (?: (?:first|up|please|then)){{0,2}}
  | (?:i will|ill) (?:finish|wrap up)(?: first)?
  | {_MAY}(?:(?:just|ask|ask me|go(?: on)? to|to|have|take|try|get|do) )?{_NEXT}
  | next | {_MAY}skip(?: {_THE_QUESTION})? | my (?:mistake|bad|fault) | i misspoke
  | (?:(?:some|a few|many) )?more questions | cancel(?:{_IT})? | undo(?:{_IT})? | typo
  | (?:i (?:pressed|hit|clicked|tapped|chose|used|typed|said) )?(?:the )?wrong (?:
    button|key|word|one|window|thing) | mis ?click(?:ed)? | i take (?:that|it) back
  | (?:i )?(?:have )?change(?:d)? my mind | by (?:mistake|accident)
  | (?:that|it|this) (?:was|is) (?:not what i (?:meant|wanted|said)
    |(?:a|my|just a) (?:mistake|misunderstanding|typo|joke|slip)|an accident)
"""

_SKIP_ACT = rf"""
    {_MAY}(?:skip|drop|pass)(?: (?:over|on))?(?: {_THE_QUESTION})?(?: please)?
  | {_MAY}leave {_THE_QUESTION}(?: out)?
  | {_MAY}(?:go|move|jump|continue|proceed|get)(?: on| ahead| over| straight)? (?:to|with) {_NEXT}
  | {_MAY}move on | {_NEXT} | next | {_MAY}(?:ask|ask me|have|take|do|try|get) {_NEXT}
  | i would (?:like|prefer) {_NEXT}
"""
_WITH_IT = (
    rf"(?: (?:{_THE_QUESTION}|again|first|about {_THE_QUESTION}|with it|on|more|anyway|now|myself"
    r"|please|for (?:it|me)|to (?:answer|think|try)|(?:for )?(?:a|one) (?:moment|second|sec|minute"
    r"|min|bit|little)(?: (?:longer|more))?)){0,4}"
)
_SKIP_CONTRARY = rf"""
    (?:{_INTENDED} )?{_MAY}{_CONTINUE} with {_THE_QUESTION}
  | (?:{_INTENDED}|let me|can i|could i|may i|we can|give me a chance to)(?: ){_SOFTLY}
    (?:answer|try|think|attempt|respond|stay|do|explain|go on|continue|finish
    |have a (?:go|try|think)|give it a (?:go|try|shot)|take a guess|see){_WITH_IT}
  | (?:{_NOT}|not|no need to) (?:(?:want|wish|need|like|have) to )?skip(?: {_THE_QUESTION})?
  | i (?:would rather not|would prefer not to) skip(?: {_THE_QUESTION})?
  | stay (?:with|on) {_THE_QUESTION}
  | i (?:have|got|have got) (?:an idea|one|something)
  | {_WAIT}
  | (?:i am )?(?:still |just )?thinking | i am not (?:ready|done)(?: yet)?
"""
# To the question or to the offer: whether to skip it, or to answer it.
_VAGUE = rf"""
    exactly | correct | right | true | indeed | i do$ | i would(?: like (?:that|to))?$
  | i would like that | i am sure(?: of it)? | (?:i am )?afraid so | that is (?:right|correct|true)
  | i (?:guess|suppose) so | great | perfect | good | whatever | (?:it is )?up to you
  | if you (?:want|like|wish)(?: to)? | as you (?:like|wish|want)
  | (?:(?:you|we) (?:can|may)|i want(?: to| that))$ | not (?:really|exactly|necessarily|at all)
  | (?:absolutely|certainly|of course|definitely|rather) not | never mind | forget it
  | i do not (?:think so|(?:want|wish|need|like) (?:to|that|it))$
  | i would (?:(?:rather|prefer) )?not(?: (?:like )?(?:to|that))?$ | (?:i am|i will) (?:good|fine)$
  | (?:(?:let us|please) ){{0,2}}{_CONTINUE}
"""
_NOTHING_KNOWN = r"""
    (?:i )?(?:really |honestly )?(?:do|can|could) not (?:really )?
    (?:know|answer|remember|think of (?:anything|one|any))
    (?: (?:(?:this|that) (?:one|question)|it|that|this|the answer))?
  | (?:i have )?(?:really |absolutely )?no (?:idea|clue) | nothing comes to mind
  | i do not want to answer(?: (?:(?:this|that) (?:one|question)|it|that|this))?
"""
_UNSURE_OF_IT = r"""
    (?:i (?:am|was) )?not (?:really |so |quite |that |entirely )?sure(?: yet)? | maybe | perhaps
  | (?:it |that )?depends | later | what | which | how | why | who | when | where
"""

_THAT_WAS_IT = r"""
    (?:(?:that|this|it) (?:was|is)(?: (?:my|the)(?: whole| full)? answer| it| all(?: i have)?)?)
  | (?:i (?:meant|mean)|take) (?:that|it)(?: as (?:my|the) answer)? | my (?:whole )?answer
  | i (?:have )?answered(?: (?:it|that|the question|already))?
"""

END: Mapping[str, str] = {
    "yes": _flat(f"{_YES}|{_EMPHATIC}|{_YES_TO_THAT}"),
    "firm": "go ahead",
    "vague": "(?!)",
    "hum": _HUM,
    "no": _flat(f"{_NO}|{_NO_TO_THAT}"),
    "act": _flat(_END_ACT),
    "contrary": _flat(_END_CONTRARY),
    "reason": _flat(_LEAVING),
    "unsure": _flat(_UNSURE),
    "filler": _flat(_FILLER),
}
SKIP: Mapping[str, str] = {
    "yes": _flat(_YES),
    "firm": _flat(f"{_EMPHATIC}|go ahead"),
    "vague": _flat(_VAGUE),
    "hum": _HUM,
    "no": _flat(_NO),
    "act": _flat(_SKIP_ACT),
    "contrary": _flat(_SKIP_CONTRARY),
    "reason": _flat(_NOTHING_KNOWN),
    "unsure": _flat(_UNSURE_OF_IT),
    "filler": _flat(_FILLER),
}
THAT_WAS_IT: Mapping[str, str] = {
    **END,
    "firm": _flat("go ahead"),
    "act": _flat(_THAT_WAS_IT),
    "contrary": _flat("(?:that|it|this) (?:was|is) not(?: (?:it|(?:my|the|an) answer))?"),
    "reason": "(?!)",
}
