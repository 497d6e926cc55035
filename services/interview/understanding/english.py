"""Commands in English. Contractions are written out before (`wording.read`)."""

from __future__ import annotations

import re

from services.interview.understanding.commands import grammar

_OATH = r"(?:damn(?: it)?|dammit|shit|fuck|crap|jesus|god|man|omg|ugh|oops)"
_LEAD = (
    r"(?:um+|uh+|er+|so|well|okay|ok|oh|hm+|ah+|mm+|sorry|excuse me|please|actually|hey|hello|hi"
    r"|i am (?:so |very |really )?sorry|i apologi[sz]e|pardon me|pardon|wait|yeah|yes|yep|yup"
    r"|sure|no|and"
    r"|but|just|then|maybe|right"
    r"|great|thanks|thank you|(?:that is )?a? ?(?:very |really )?(?:good|great|tough|hard"
    r"|interesting) question|i think|perhaps"
    rf"|sorry to interrupt|all right|alright|now|{_OATH}) "
)
_TAIL = (
    r" (?:please|thanks|thank you(?: very much| so much)?|sorry|again|now|for me|okay|ok|then"
    r"|maybe|quickly"
    r"|if (?:you do not mind|possible|that is (?:okay|ok|possible|fine|all right)|i may|you could)"
    r"|(?:one|once) more(?: time)?|once again|right now|real quick|sir|madam|exactly|first)"
)
_EVER = r"(?: (?:on earth|even|exactly|the (?:hell|heck|fuck)))"
_LITTLE = r"(?:a (?:little bit|little|bit))"
_WHAT_YOU_MEAN = (
    r"(?:what you (?:mean|are (?:asking|looking for|after)|(?:want|expect)"
    r"(?: (?:me )?to (?:hear|know|say)| from me)?)(?: here| by that)?)"
)
_SOFTLY = r"(?: (?:please|just|maybe|possibly|kindly|perhaps|quickly))*"
_YOU = (
    r"(?:(?:can|could|would|will) you(?: mind)?|would you be able to|do you mind|please"
    r"|would you be so kind(?: as)? to"
    r"|i would like you to"
    r"|i need you to|is it possible to|you could|you can)" + _SOFTLY
)
_WE = (
    r"(?:(?:can|could|may|might|shall|should) (?:we|i)|let us|i (?:want|need|have|prefer|wish"
    r"|am going) to"
    r"|i would (?:like|love|prefer) to|i would rather|we (?:can|could|should)|is it (?:okay|ok"
    r"|possible|all right) (?:if (?:we|i)|to)"
    r"|do you mind if (?:we|i)|would it be possible to)" + _SOFTLY
)
_ASK = f"(?:(?:{_YOU}|{_WE}) )"
_AGAIN = r"(?: (?:again|once more|one more time|once again|for me|to me))"
_QUESTION = (
    r"(?:(?:the|your|this|that)(?: (?:last|whole|previous))? (?:question|part|bit|sentence|thing))"
)
_THAT = (
    rf"(?:that|it|this|yourself|{_QUESTION}|what you (?:just )?(?:said|asked)|the end"
    rf"(?: of {_QUESTION})?)"
)
_A_MOMENT = (
    r"(?:like )?(?:(?:a|one|1|just a|just one|another|half a|a little|some|a bit of|a few"
    r"|a couple of|two|2|a short)"
    r" (?:more )?(?:moments?|seconds?|secs?|minutes?|mins?|time|while|bit)"
    r"|(?:a (?:little )?bit |a little )(?:longer|more time)|more time)"
)
_SO_LONG = (
    rf"(?:{_A_MOMENT}|(?:just )?(?:\d{{1,2}}|three|five|ten) (?:seconds?|secs?|minutes?|mins?))"
)
_TO_THINK = (
    r"(?: to (?:think|consider|collect my thoughts)(?: (?:about|of|on) (?:it|that|this"
    r"|the question))?(?: through)?)"
)
_HERE = r"(?: (?:here|now|this|it|there|today|at this point|early|with (?:this|it)))"
_INTERVIEW = r"(?:(?:the|this|our) (?:interview|session|call|conversation))"
_ONE = r"(?:(?:this|that|the)(?: (?:last|current))? (?:one|question)|question|that|it|this)"
_NEXT = r"(?:(?:the |a |an)?(?:next|different|other|another|new) (?:question|one|topic))"
_KNOWN = (
    r"(?: (?:that|this|it|the answer(?: to (?:that|this|it))?|(?:this|that) (?:one|question)"
    r"|what to say))"
)

_REPEAT = rf"""
    {_ASK}?(?:repeat|repeating)(?: again)?(?: {_THAT})?{_AGAIN}*
  | {_ASK}(?:hear|have) {_THAT}{_AGAIN}+ | {_ASK}?(?:go over|run) {_THAT}(?: by me)?{_AGAIN}+
  | {_ASK}?(?:say|saying|ask|asking|read|reading|tell me|type|write|send) {_THAT}{_AGAIN}+
  | {_YOU} (?:speak|talk|go|say (?:it|that)|ask (?:it|that)|read(?: (?:it|that))?)
    (?: (?:a (?:little |bit )*)?(?:more )?(?:slow(?:er|ly)?|loud(?:er|ly)?|up)){{1,2}}
    (?: a (?:bit|little))?
  | (?:{_LITTLE} )?(?:slower|louder|more slowly) please
  | {_ASK}?(?:slow down(?: {_LITTLE})?|speak up)
  | you (?:are|were|speak|spoke|talk|talked|go) (?:(?:a bit|a little|going|speaking|talking|way|much
    |just) ){{0,3}}(?:too|very|so) (?:fast|quick(?:ly)?|quiet(?:ly)?|low|soft(?:ly)?|silent)
  | (?:your|the) (?:voice|sound|audio|volume|connection) (?:is|was) (?:(?:a bit|a little|way) )?
    (?:too|very|so|really) (?:low|quiet|soft|weak|bad)
  | (?:that was|it was) too (?:fast|quick) for me
  | i (?:can|could) (?:hardly|barely|scarcely) (?:hear|understand) you
  | (?:(?:can|could|do|did|does) (?:you|anybody|anyone|someone)|are you able to) (?:still )?hear me
    (?: (?:now|okay|well|all right|at all|or not))*
  | (?:are you|is (?:anybody|anyone|someone)) (?:still )?hearing me
  | is this (?:thing )?(?:on|working)
  | am i (?:still )?(?:audible|coming through|connected)(?: now)?
  | is my (?:mic|mike|microphone|sound|audio) (?:on|working|okay|ok)(?: now)?
  | (?:(?:are|is) )?(?:you|anybody|anyone) (?:still )?there
  | {_ASK}?(?:say|come|tell me|ask(?: me)?) again{_AGAIN}*
  | (?:you|the line|your (?:voice|sound|audio)) (?:just )?(?:broke|cut) (?:up|out)
    (?: there| for a (?:moment|second|bit))?
  | {_ASK}(?:start|begin) (?:again|over|from the (?:beginning|start|top))
  | once again
  | (?<!quick )(?<!quiet )(?<!fast )(?<!bad )(?<!noisy )again | one more time | once more
  | what (?:was|is) (?:the|your)(?: (?:last|first))? question{_AGAIN}*
  | what was the (?:first|second|last|other) (?:part|half|bit)
    (?: of (?:it|that|(?:the|your) question))?
  | what was that{_AGAIN}* | say what
  | what (?:did|do) you(?: just)? (?:say|ask)(?: me)?{_AGAIN}*
  | (?:sorry|wait|excuse\ me) (?:what|pardon)
  | (?:i )?(?:did|could|do|can) not (?:quite |really |even |fully )?(?:hear|catch|get)
    (?: (?:you|anything|{_THAT}|the (?:end|beginning|rest|last (?:part|bit))))?
    (?: (?:of (?:it|that|{_QUESTION})))?
    (?: (?:properly|clearly|well|right|very well))?
  | i (?:have )?missed {_THAT}(?: of (?:it|that|{_QUESTION}))?
"""
_REPHRASE = rf"""
    in other words | meaning(?: what)? | (?:in )?(?:simple|simpler|easier|other) words please
  | what(?:{_EVER})? does (?:the (?:word|term) )?\w+(?: \w+)? mean
    (?: (?:here|exactly|in this context))?
  | what is meant by \w+(?: \w+)?
  | {_ASK}?(?:rephrase|rephrasing|reword|paraphrase)(?: {_THAT})?
    (?: differently| a (?:little|bit)| in .{{0,20}}words)?
  | {_YOU} make {_THAT} (?:a (?:bit|little) )?(?:simpler|easier|clearer)
  | {_YOU} (?:clarify|clarifying|explain(?: me)?|explaining|simplify|elaborate(?: on)?)(?: to me)?
    (?: {_THAT}| what (?:you|that|this) means?(?: (?:by|with) (?:that|it|this))?)?
    (?: to me)?(?: a (?:little |bit )?(?:bit )?
    (?:more)?| better| further| in (?:more detail|other words|simple words))?
  | {_ASK}?(?:put|say|saying|ask|asking|phrase|express|formulate) {_THAT}
    (?: (?:differently|(?:in )?(?:another|a different) way|more (?:simply|clearly)|otherwise
        |(?:in|with|using) (?:other|simpler|simple|different|easier|plain|plainer)
    (?: (?:words|terms|english))))
  | {_YOU} be (?:a (?:little |bit )?(?:bit )?)?
    (?:more|a bit more) (?:specific|precise|concrete|clear)
  | {_YOU} give(?: me)? (?:an|one) example(?: of (?:that|what you mean))?
  | what(?:{_EVER}| exactly)? do you mean(?: exactly)?(?: (?:by|with) \w+(?: \w+)?)?(?: exactly)?
  | what(?:{_EVER}| exactly)? are you (?:asking|looking for|after|getting at)(?: for)?(?: exactly)?
  | i (?:am|was) not (?:quite |really )?following(?: you| {_THAT})?
  | {_YOU} give(?: me)? a hint(?: what you mean)?
  | what (?:does|is) (?:that|this|it|the question) (?:mean|supposed to mean)
  | (?:i )?(?:do|did|could|can) not (?:quite |really |fully |completely |even )?
    (?:understand|follow)
    (?: (?:you|{_THAT}|(?:this|that|the) word(?: \w+)?
    |{_WHAT_YOU_MEAN}))?(?: (?:very )?(?:well|correctly|right))?
  | (?:i )?(?:do|did) not (?:really )?know {_WHAT_YOU_MEAN}
  | i (?:no|not) understand(?: (?:you|{_THAT}))?
  | (?:i )?(?:do|did) not (?:quite |really )?get (?:{_QUESTION}|what you (?:mean|are asking|want))
  | (?:i am )?not (?:quite |really |entirely )?sure (?:{_WHAT_YOU_MEAN}|
    (?:that )?i (?:understand|follow|get)(?: {_THAT}| you)?)
  | i am (?:(?:a (?:bit|little)|so|really) )?(?:confused|lost)(?: by (?:it|that|{_QUESTION}))?
  | {_QUESTION} is not (?:quite )?clear(?: to me)?
"""
_DRINK_OR_GLASSES = (
    r"(?:(?:some|a|a (?:glass|sip|cup) of) (?:water|coffee|tea|drink|pen)"
    r"|my (?:notes|glasses|charger|headphones|headset))"
)
_OBJECT = (
    r"(?:it|that|this|(?:(?:the|a|an|your|my) )?(?:good |best |right |better )?"
    r"(?:question|answer|example|case|one))"
)
_HOLD = rf"""
    (?:please |just )*(?:give|allow|grant) me {_SO_LONG}{_TO_THINK}?
  | {_YOU} (?:give|allow|grant) me {_SO_LONG}{_TO_THINK}?
  | {_A_MOMENT} | moment | (?:i will )?be right back(?: {_SO_LONG})?
  | let me (?:just |first |please )*finish(?: (?:first|talking|speaking|what i (?:was|am) saying
    |my (?:answer|sentence|thoughts?|point)))*
  | (?:i am )?(?:still )?typing(?: (?:it|my answer))? | wait(?: wait)*(?: for)?(?: {_A_MOMENT})?
  | i need to use the (?:bathroom|toilet|restroom|loo)
  | (?:{_YOU} )?(?:wait|hold on|hang on|hold that thought|bear with me)(?: for)?(?: {_A_MOMENT})?
  | wait(?: for)? me(?: {_A_MOMENT})?
  | let me (?:(?:just|quickly) )?(?:get|grab|fetch|have|drink|find) {_DRINK_OR_GLASSES}
    (?: (?:real )?quick(?:ly)?)?
  | let me (?:just |quickly )?(?:think|consider)(?: (?:about |on )?(?:it|that|this))?
    (?: through)?(?: for)?(?: {_A_MOMENT})?
  | let me see | let me have a think
  | let me (?:just |quickly |first )*(?:collect|gather|sort|organi[sz]e) my (?:thoughts|ideas)
    (?: for {_A_MOMENT})?
  | {_WE} (?:have|take|get|need) {_A_MOMENT}{_TO_THINK}?
  | (?:hold on|hang on|wait) i am (?:still |just )*(?:thinking|typing)
  | (?:i )?(?:need|want|would like) {_SO_LONG}{_TO_THINK}?
  | i (?:need|want|have) to think(?: (?:about )?(?:it|that|this))?(?: for)?(?: {_A_MOMENT})?
  | (?:i (?:am|was) )?(?:still |just )*thinking(?: (?:about|of|over|on) {_OBJECT})?
  | i am (?:still |just )*trying to (?:think|remember)(?: (?:of )?{_OBJECT})?
  | (?:i am )?still (?:here|there|with you|listening|on it|working on {_OBJECT})
  | (?<!now )i am (?:right )?here | i (?:can )?(?:still )?hear(?:d)? you(?: (?:well|fine|clearly))?
  | (?:i am )?not (?:quite |really )?ready yet
  | i am not (?:quite |really )?(?:ready|done|finished)(?: (?:yet|thinking))*
  | (?:i (?:am|was) )?(?:still |just )*(?:collecting|gathering|sorting) my thoughts
  | (?:i am )?(?:still |just )*(?:formulating|preparing|thinking of) my answer
  | (?:i (?:am|will be) )?almost (?:there|ready|done)
  | pause | (?:{_WE} )(?:pause|take a (?:short |quick )?break)
    (?: (?:here|it|this|the interview))?(?: for)?(?: {_A_MOMENT})?
"""
_SKIP = rf"""
    next (?:question|one|topic) | the next question | next please | i want {_NEXT}
  | (?:{_ASK}|i want )(?:change|switch|swap)(?: (?:the|this|that))? question
  | (?:a |an |the )?(?:different|other|another|new) question
  | (?:{_NEXT}|something else) please
  | {_ASK}?(?:skip|skipping)(?: over)?(?: {_ONE})? | pass | {_ASK}(?:pass)(?: on {_ONE})?
  | pass on {_ONE}
  | {_ASK}?move on(?: to {_NEXT})? | moving on to {_NEXT}
  | {_ASK}?(?:go|get|jump|continue|proceed|move)(?: on| ahead| over| straight)?(?: to| with) {_NEXT}
  | {_ASK}(?:have|get|do|take|try|ask(?: me)?) (?:{_NEXT}|something else)
  | ask me (?:{_NEXT}|something else)
  | i would (?:prefer|like) {_NEXT}
  | {_ASK}(?:come|go|get) back to {_ONE}(?: one)? later
  | (?:i )?(?:would (?:really )?(?:prefer|rather)|prefer) not(?: to)? (?:answer|discuss|talk about)
    (?: {_ONE})?
  | i do not (?:really )?(?:want|wish) to (?:answer|discuss|talk about) {_ONE}
  | (?:can|could|may) i not answer(?: {_ONE})?
  | {_ASK}(?:(?:talk|speak|chat) about|ask me about) something else | ask me about something else
"""
_GO = r"(?:go|leave|run)(?: (?:home|to (?:work|school|class|bed)))?(?: (?:right )?now)?"
_LEAVE = r"(?:stop|end|finish|quit|leave|abort|cancel|close|conclude|wrap(?: it| this| things)? up)"
_REQUEST_TO = (
    r"(?:(?:can|could|may|might|shall|should) (?:we|i)|let us|i want(?: to)?"
    r"|i would (?:like|love) to"
    r"|(?:is it|would it be) (?:okay|ok|possible|all right) (?:if (?:we|i)|to)"
    r"|do you mind if (?:we|i))" + _SOFTLY
)
"""Unlike "we can stop" and "I need to close" no answers to a question about something else."""
# "End the call" and "close the session" are answers about telephones and servers; only the
# interview itself is ended without a request around it.
_END = rf"""
    {_REQUEST_TO} {_LEAVE}(?: {_INTERVIEW})?{_HERE}*
  | {_WE} {_LEAVE} {_INTERVIEW}{_HERE}* | (?:can|could|may) i go
  | (?:we|i) (?:can|could|should) (?:stop|end|finish)(?: it)? (?:here|now)
  | {_REQUEST_TO} be done{_HERE}+
  | {_ASK}(?:stop|end|finish|quit|exit|terminate|cancel|close) (?:with )?{_INTERVIEW}{_HERE}*
  | (?:stop|end|finish|quit|exit|leave|terminate|cancel|close) (?:with )?
    (?:(?:the|this|our) )?interview{_HERE}*
  | let us call it a day
  | that is all for today | that is enough for (?:today|now)
  | i (?:have to|need to|must|have got to|got to) stop (?:right )?now
  | (?:(?<!then )i (?:(?:really|also) )?)?(?:have to|need to|must|(?:have )?got to) {_GO}
  | i do not want to (?:continue|go on|carry on)(?: (?:with )?(?:this|it|{_INTERVIEW}))?
    (?: any ?more)?
  | (?:i am|we are) (?:all )?(?:done|finished|through) with (?:the|this|our) interview
  | (?:i )?(?:do not (?:really )?want to|can not) do (?:(?:this|it)(?: interview)?|the interview)
    (?: any ?more| any longer)
  | i do not (?:really )?want to do (?:the|this) interview
  | i am (?:leaving|quitting) (?:the|this) interview
"""
_REASONS = rf"""
    i (?:really |honestly )?(?:do|can|could) not (?:really )?
    (?:know|answer|say|remember|think of (?:anything|one|any)){_KNOWN}?
  | (?:do|can) not know | nothing comes to mind
  | (?:i have )?no idea | i am not (?:really )?sure(?: about (?:it|that|this))?
  | i am sorry | sorry | excuse me | pardon me | please | thanks
  | thank you(?: (?:so|very) much)? | wait | no
  | okay | ok | oh | (?:good ?)?bye | um+ | uh+ | hm+ | er+ | ah+ | well | so | yeah | yes | right
  | hello | hi
  | actually | all right | alright
  | (?:that is )?a? ?(?:very |really )?
    (?:good|great|tough|hard|difficult|interesting) (?:question|one)
  | i do not like (?:this|that) (?:question|one) | (?:that is|this is|that was) enough
  | (?:this|that|it) is (?:stupid|bullshit|boring|nonsense|too (?:hard|difficult))
  | {_OATH} | screw (?:this|that|it) | fuck (?:this|that|it)
  | i (?:have )?(?:got )?nothing (?:for|on) (?:this|that|it)(?: one)?
  | i (?:can|could) not (?:really )?answer (?:this|that)(?: one)?
  | (?:that|it|the line|the (?:sound|connection|audio)) (?:was|is) (?:a bit |too |very )?
    (?:fast|quick|quiet|bad|unclear|noisy)
  | you (?:broke|cut) (?:up|out)
"""
_REPAIRS = (
    r"(?:(?:um+|uh+|oh|ah+|hm+) ){0,3}(?:sorry|hello(?: hello)?(?=\?)|(?:i )?beg (?:your )?pardon"
    r"|i beg your pardon|pardon"
    r"(?: me)?|excuse me|what|what what|huh)(?: (?:sorry|what))?"
    r"|(?:(?:no|wait|sorry|oh|okay|ok|yes|please) ){0,3}(?:(?:i )?do not (?:want (?:you )?to )?"
    r"(?:(?:end|stop|finish|quit|cancel|close) (?:the|this|our) interview|end it)"
    r"|let us (?:please )?(?:continue|go on|carry on)(?: with (?:it|the interview)| the interview)?"
    r"|(?:continue|resume|go on with|carry on with) (?:with )?(?:the|this|our) interview)"
    r"(?: please)?"
)


def _flat(pattern: str) -> str:
    """A pattern without the line breaks and indents that make it readable."""
    return re.sub(r"\s*\n\s*", "", re.sub(r"\s+\| ", "|", pattern)).replace("\\ ", " ").strip()


COMMANDS = grammar(
    {
        "repeat": _flat(_REPEAT),
        "rephrase": _flat(_REPHRASE),
        "hold": _flat(_HOLD),
        "skip": _flat(_SKIP),
        "end": _flat(_END),
    },
    lead=_LEAD,
    tail=_TAIL,
    reasons=_flat(_REASONS),
    repairs=_REPAIRS,
    clear=r"\b(?:must|(?:have )?got to|you|please|question|interview|let us|let me|hold on|hang on"
    r"|hold that thought|wait|moment|second|sec|minute|min|(?:can|could|may|might|shall) (?:i|we)"
    r"|i (?:want|would like|need|have) to)\b",
    circumstances=r"(?:(?:sorry|because|as|i am sorry|i am afraid) ){0,3}"
    r"(?:i (?:was|am|did|do|have|got|lost|missed|can|could|feel|zoned)|lost connection"
    r"|my \w+|the \w+|there (?:is|was)"
    r"|it (?:is|was)|you (?:cut|broke)|someone|somebody"
    r"|\w+(?:'s| is) (?:ready|here|calling|waiting|coming|crying))\b.{0,50}",
    holding=r"(?:sorry )?(?:the|my) (?:door(?:bell)?|phone|baby|dog|cat|kids?|child|children|alarm"
    r"|delivery|postman|courier)|i need (?:some )?(?:water|air|coffee)"
    r"|(?:there is|someone|somebody|the \w+|my \w+) .{0,12}(?:\bat the|ing|rang)\b.{0,20}"
    r"|let me (?:just |quickly )?(?:close|open|shut|get|fetch|turn|check|take|answer|grab|move"
    r"|find)\b.{0,30}|i (?:need|have|had) to (?!say|admit|think|explain)\w+\b.{0,30}"
    r"|i (?:just )?(?:lost|spilled|dropped|forgot) (?:my|the|some)\b.{0,30}"
    r"|i am (?:just )?(?:looking|searching|getting|having|eating|drinking|closing|moving|losing)"
    r"\b.{0,30}|my (?!answer|point|mistake|job|role|task|approach|example|project|first)\w+"
    r"(?:'s| (?:is|are|was|just|needs?|wants?|has|fell)) .{0,30}|the \w+(?:'s| is| are) .{0,30}",
    typed={
        "repeat": r"(?:you are )?too (?:fast|quiet)|no (?:sound|audio)",
        "skip": r"next|(?:new|another) (?:question|one) please",
        "hold": r"here|secs?|sec please|almost|afk(?: .{0,10})?"
        r"|(?:1|one|a) sec (?:my )?(?:phone|door|dog|kid)",
        "end": r"(?:please )?(?:quit|exit|stop|end|finish|stop (?:it|this)|end (?:it|this))"
        r"(?: please| now)?|i am (?:leaving|out)"
        r"|(?:i )?(?:want|would like) to (?:stop|go|leave|quit)"
        r"|cu|cya|ttyl|see (?:ya|you)|(?:ok |okay |thanks |thank you )?(?:good ?)?bye(?: ?bye)?"
        r"(?: (?:thanks|thank you))?",
    },
    reports=r"\b(?:s[ai][iy]d?|says|asked|asks|told|tell|answered|replied|wrote|called|customers?"
    r"|clients?|boss|manager|team|we|they|he|she|users?)\b",
)

_AUXILIARIES = (
    r"(?:do|does|did|have|has|had|are|is|was|were|am|can|could|will|would|should|shall|may)"
)
_POLAR = re.compile(rf"(?:(?:and|so|but|then|now|well|okay|in that case) )*{_AUXILIARIES} ")
_REQUEST = re.compile(
    r"(?:(?:and|so|but|then|now) )*(?:can|could|would|will) you (?:please )?"
    r"(?:tell|explain|describe|walk|give|share|talk|outline|elaborate|name)"
)


def asks_yes_or_no(line: str) -> bool:
    """Whether the last sentence of an interviewer's line can be answered with yes or no."""
    sentences = re.findall(r"[^.?!]+\?", line.lower())
    if not sentences:
        return False
    # What stands before a comma sets the scene: "In your team, did you …"
    parts = [part.strip() for part in sentences[-1].split(",")]
    return any(_POLAR.match(part) and not _REQUEST.match(part) for part in parts)
