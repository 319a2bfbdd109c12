#!/bin/sh
# Makes every sound the gateway and its demo play: G.711 mu-law WAV, 8 kHz, mono. Needs espeak-ng and sox.
# Synthetic voices only, so that nobody's recording is shipped. Run it in this folder after changing a line.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# say NAME VOICE-OPTIONS... TEXT: raw speech, 22 kHz.
say() { name=$1; shift; espeak-ng "$@" -w "$work/$name.raw.wav"; }

# line NAME [SOX EFFECTS]: telephone band and level, 8 kHz, for joining.
line() { name=$1; shift; sox "$work/$name.raw.wav" -r 8000 -c 1 -b 16 "$work/$name.wav" gain -3 "$@" sinc 300-3400 gain -n -9; }

# pause NAME SECONDS
pause() { sox -n -r 8000 -c 1 -b 16 "$work/$1.wav" trim 0 "$2"; }

# ship NAME PART...: joined and encoded.
ship() {
    out=$1; shift; parts=
    for part in "$@"; do parts="$parts $work/$part.wav"; done
    # shellcheck disable=SC2086
    sox -D $parts -t wav -r 8000 -c 1 -e mu-law "$out.wav"
}

pause breath 0.25
pause beat 0.7

# --- the caller --------------------------------------------------------------------------------------------------------
calm="-v en-us -s 150 -p 40"
upset="-v en-us -s 190 -p 75"
angry="pitch 300 tempo 1.05 overdrive 8 gain -8 treble +6"
i=0
while IFS='|' read -r mood text; do
    i=$((i + 1))
    # shellcheck disable=SC2086
    if [ "$mood" = calm ]; then say "c$i" $calm "$text"; line "c$i"; else say "c$i" $upset "$text"; line "c$i" $angry; fi
done <<'LINES'
calm|Hello. I am calling about a late fee on my last statement.
calm|It shows twenty five dollars for a late payment in May.
calm|I paid that bill on the third, by bank transfer, as I always do.
upset|No! That is not what I asked! I did not pay late, I paid on the third!
upset|This is the third time I am explaining this! You are not listening to me!
upset|I want this fee taken off right now! This is completely unacceptable!
calm|My account number ends in four four one seven. Could you look at that for me, please?
calm|Yes, that is right. The payment went out in the morning.
calm|Thank you, that would be fine. I am happy to wait for the letter.
LINES
ship caller-upset breath c1 beat c2 beat c3 beat c4 breath c5 breath c6 beat
ship caller-calm breath c1 beat c2 beat c3 beat c7 beat c8 beat c9 beat

# --- the bot, in another voice ------------------------------------------------------------------------------------------
while IFS='|' read -r name text; do
    say "$name" -v en-gb+f3 -s 165 -p 55 "$text"; line "$name"; ship "$name" breath "$name" breath
done <<'LINES'
bot-hello|Hello, this is the virtual assistant of Acorn Energy. How can I help you today?
bot-fee|I see a late fee of twenty five dollars. Our policy says that fees cannot be removed.
bot-again|I understand. Let me tell you about our late payment policy.
bot-moment|I am getting a person for you. One moment, please.
LINES

# --- the human at the desk ----------------------------------------------------------------------------------------------
say desk-hello -v en-us+m3 -s 160 -p 45 "Hello, this is Sam. I can see what happened with the late fee. I am sorry about that, let me take it off for you."
line desk-hello; ship desk-hello breath desk-hello beat

# --- what the gateway itself says ---------------------------------------------------------------------------------------
while IFS='|' read -r name text; do
    say "$name" -v en-us+f2 -s 155 -p 50 "$text"; line "$name"; ship "$name" breath "$name" breath
done <<'LINES'
press-one|A caller is waiting for you. To take the call, press one.
bot-lost|One moment, please. I am getting a person for you.
nobody|I am sorry. Nobody is available right now. Please call again later. Goodbye.
recorded|This call is recorded.
still-trying|Thank you for waiting. I am still trying to reach a person for you.
caller-gone|The caller has hung up. Thank you. Goodbye.
LINES

say leave-message -v en-us+f2 -s 155 -p 50 "Nobody can take your call now. Please leave a message after the tone, and press hash to finish."
line leave-message
sox -n -r 8000 -c 1 -b 16 "$work/tone.wav" synth 0.4 sine 1000 gain -9
ship leave-message breath leave-message breath tone

# Whispered to the human before the key: one line per trigger, named after it.
while IFS='|' read -r name text; do
    say "$name" -v en-us+f2 -s 165 -p 50 "$text"; line "$name"; ship "why-$name" breath "$name"
done <<'LINES'
asked|The caller asked for a person.
dtmf|The caller pressed a key for a person.
emergency|This may be an emergency.
compliance|This matter must be handled by a person.
distress|The caller sounds upset.
low_confidence|The assistant was not sure what to say.
failed_attempts|The assistant could not help.
legal|This is a legal matter.
medical|The caller has a medical question.
minors|The caller may be a child.
fraud|The caller speaks of fraud.
dispute|The caller disputes a charge.
cancellation|The caller wants to cancel.
vulnerable|The caller may need special care.
frustration|The caller is frustrated.
same_question|The caller keeps asking the same question.
loop|The assistant is going round in circles.
hedging|The assistant contradicts itself, or will not commit.
unclear|The assistant does not understand the caller.
verification|The caller could not be verified.
system_error|A system does not answer.
high_value|This caller wants to do business.
vip|This is a priority customer.
silence|The line has been silent.
monologue|The caller has been talking for long.
long_call|The caller has been with the assistant for long.
bot|The assistant asked for your help.
bot_down|The assistant has broken down.
operator|Operations asked for you to take this call.
direct|The caller asked for you.
passed_on|A colleague passes this caller on to you.
LINES

# --- hold music: four soft chords, 8 s, made to be looped ----------------------------------------------------------------
chord() { sox -D -n -r 8000 -c 1 -b 16 "$work/$1.wav" synth 2 sine "$2" synth 2 sine mix "$3" synth 2 sine mix "$4" tremolo 3 15 fade q 0.15 2 0.35 gain -n -21; }
chord m1 392.0 493.9 587.3
chord m2 329.6 392.0 493.9
chord m3 349.2 440.0 523.3
chord m4 392.0 440.0 587.3
ship music m1 m2 m3 m4
