"""The words of random experiment names: five letters and four letters."""

ADJECTIVES = tuple(
    """
    agile alert amber ample awake aware azure basic bland blond blunt bonny bossy brash brave
    brief brisk broad brown bumpy burly cheap chief civic civil clean clear close cloud coral
    crisp cubic curly daily dizzy dusty eager early elfin empty equal exact extra faint fancy
    final fixed fleet fluid focal foggy fresh front frost fully funny fuzzy giant glass grand
    great green handy happy hardy hasty hazel heavy human humid inner ivory jolly juicy known
    large later light lilac linen local loyal lucid lucky lunar magic major mauve merry milky
    minor minty misty moist moral mossy muted naive naval noble noisy novel ocean olive outer
    perky petit piano plain plump polar prime proud quick quiet rapid ready regal rigid rocky
    round royal ruddy rural rusty salty sandy satin sharp shiny short silky silly sleek small
    smart snowy sober solar solid sonic sound spare spicy stark steep still stoic sunny super
    sweet swift tawny tepid thick tidal tight tonal total tough vague valid vivid vocal wacky
    whole windy witty woody young zesty
    """.split()
)

NOUNS = tuple(
    """
    acre alga apex arch aria atom aura bark barn beam bear bell belt bird boat bolt bone book
    brim buoy bush cafe cake cape cave chip clay clip coal coat cone cook cork corn crab crow
    cube dawn deer desk dock door dove drum duck dune dusk echo edge fawn fern fish flag flax
    foam font fork fort frog gale gate gear glen glow goat gong grid gulf gull harp hawk haze
    heap herb hill hive hook horn iris isle jade jazz keel kelp kite kiwi knot lace lake lamb
    lamp lark lava lawn leaf lens lily lime loft loom loop lute lynx mace mane maze mead mesh
    mica mill mint mist moon moss moth mule myth nest newt node note oboe okra oven oxen palm
    park path peak pear pine pipe plum poem pond pony port puma quay raft rail rain reed reef
    ring road robe rock roof root rope rose ruby sage sail salt sand seal seed ship silk slab
    sled snow soap sofa song spur star stem surf swan tale teal tent tide tile toad tomb tone
    tree tuna vale vase veil vest view vine wasp wave weed well wick wing wolf wood wool wren
    yarn yoke zinc zone
    """.split()
)
