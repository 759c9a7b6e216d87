//! Random configs and random texts.

use proptest::prelude::*;

use super::*;

fn schedules() -> impl Strategy<Value = String> {
    prop_oneof![
        (1e-9f64..1e9).prop_map(|x| format!("{x:?}")),
        (1u32..100).prop_map(|x| x.to_string()),
        proptest::sample::select(vec!["\"1/(t+1)\"", "\"0.8+0.3*sin(t)\"", "\"2^-t\"", "\"3\"",])
            .prop_map(str::to_owned),
        // A value for each of at most 50 steps.
        proptest::collection::vec(1e-9f64..1e9, 50..55).prop_map(|values| format!("{{ table = {values:?} }}")),
    ]
}

fn configs() -> impl Strategy<Value = String> {
    let tokens = prop_oneof![
        (proptest::sample::select(Cloud::ALL.to_vec()), 1usize..99, 1e-3f64..1e3)
            .prop_map(|((_, kind), n, scale)| format!("kind = {kind:?}\nn = {n}\nd = 2\nscale = {scale:?}")),
        proptest::collection::vec(-1e6f64..1e6, 1..20).prop_map(|v| format!(
            "rows = [{}]",
            v.iter().map(|x| format!("[{x:?}, 1]")).collect::<Vec<_>>().join(", ")
        )),
    ];
    let a = prop_oneof![
        Just("a = \"identity\"".to_owned()),
        (-1e3f64..1e3).prop_map(|c| format!("a = {c:?}")),
        proptest::array::uniform4(-9e9f64..9e9)
            .prop_map(|[p, q, r, s]| format!("a = {{ matrix = [[{p:?}, {q:?}], [{r:?}, {s:?}]], factor = \"1+t\" }}")),
        Just("q = [[1, 2], [0.1, 5]]\nk = [[0.3, 1], [1, 7]]".to_owned()),
    ];
    let v = prop_oneof![
        Just(String::new()),
        Just("v = 2".to_owned()),
        Just("v = { matrix = 1, factor = \"1+t\" }".to_owned())
    ];
    let gain = prop_oneof![
        schedules().prop_map(|alpha| format!("alpha = {alpha}")),
        (1e-9f64..0.999).prop_map(|gamma| format!("gamma = {gamma:?}")),
        Just("gamma = \"1/(t+2)\"".to_owned()),
    ];
    let qk = prop_oneof![
        Just(String::new()),
        Just("q = [[1, 2], [0.1, 5]]\nk = [[0.3, 1], [1, 7]]".to_owned()),
        (-9f64..9.0).prop_map(|c| format!("q = {{ matrix = {c:?}, factor = \"cos(t)\" }}\nk = 2")),
    ];
    let strip = proptest::sample::select(StripForm::OF_PRODUCTS.map(|(_, name)| name).to_vec());
    let scheme = proptest::sample::select(vec!["", "integrator = \"euler\"", "integrator = \"rk4\""]);
    let p = prop_oneof![
        Just("{}".to_owned()),
        Just("{ u = -1 }".to_owned()),
        (proptest::array::uniform4(-9f64..9.0), schedules()).prop_map(|([p, q, r, s], f)| format!(
            "{{ p = {{ matrix = [[{p:?}, {q:?}], [{r:?}, {s:?}]], factor = {f} }} }}"
        )),
    ];
    let averaging =
        (schedules(), strip, gain, a.clone(), v, 0..5).prop_map(|(scalar, strip, gain, a, v, rule)| match rule {
            0 => format!("rule = \"localmax\"\ndelta = {scalar}\nstrip = {strip:?}\n{gain}\n{a}\n{v}"),
            1 => format!("rule = \"hardmax\"\n{gain}\n{a}\n{v}"),
            2 => format!("rule = \"softmax\"\nbeta = {scalar}\n{gain}\n{a}\n{v}\nweights = \"entmax15\""),
            3 => format!("rule = \"markov\"\nbeta = {scalar}\n{gain}\n{a}"),
            _ => format!("rule = \"frank-wolfe\"\n{gain}\n{a}\n{}", v.replace("v =", "p =")),
        });
    let sphere =
        (schedules(), qk, any::<bool>(), -2f64..2.0, scheme.clone()).prop_map(|(beta, qk, plain, origin, scheme)| {
            let origin = if plain {
                "weights = \"relu\"".into()
            } else {
                format!("normalized = false\norigin = {origin:?}\nv = [[0, 1], [2, 3]]")
            };
            let noise =
                if scheme.contains("rk4") { String::new() } else { format!("noise = {beta}\ncommon = {plain}") };
            format!("rule = \"sphere\"\nbeta = {beta}\n{qk}\ndt = 0.1\n{origin}\n{scheme}\n{noise}")
        });
    let ellipsoid =
        (proptest::collection::vec(p, 1..4), scheme.clone(), 1e-3f64..1e3).prop_map(|(heads, scheme, w)| {
            format!(
                "rule = \"ellipsoid\"\nheads = [{}]\nw = [[{w:?}, 0], [0, 1]]\ndt = 0.5\n{scheme}",
                heads.join(", ")
            )
        });
    let rescaled = (a, scheme, -2f64..2.0).prop_map(|(a, scheme, v)| {
        format!("rule = \"rescaled\"\n{a}\nv = [[{v:?}, 1], [0, 0.5]]\ndt = 0.01\n{scheme}")
    });
    let rule = prop_oneof![3 => averaging, 1 => sphere, 1 => ellipsoid, 1 => rescaled];
    (tokens, rule, any::<(bool, u32, u32)>(), 1e-3f64..1e6).prop_map(
        |(tokens, rule, (causal, seed, steps), seconds)| {
            format!(
                "seed = {seed}\n[tokens]\n{tokens}\n[model]\n{rule}\ncausal = {causal}\nmask = {{ window = {} }}\n\
             [run]\nsteps = {}\n[output]\nlabels = {causal}\ncheckpoint_seconds = {seconds:?}\n",
                seed % 9 + 1,
                steps % 50
            )
        },
    )
}

proptest! {
    /// If anything was lost between a config and its resolved form, a run could not be repeated.
    #[test]
    fn resolved_configs_are_the_same(text in configs()) {
        let config = parse(&text).unwrap();
        let resolved = config.to_toml();
        prop_assert_eq!(&parse(&resolved).unwrap(), &config, "{}", resolved);
    }

    /// Any bytes give a config or one line.
    #[test]
    fn hostile_texts_never_panic(
        noise in "\\PC{0,80}",
        lines in proptest::collection::vec(proptest::sample::select(vec![
            "[tokens]", "[model]", "[run]", "[[run]]", "[output]", "seed = 1", "n = 4", "d = 2", "kind = \"ball\"", "rule = \"localmax\"",
            "alpha = 1", "alpha = []", "delta = \"t\"", "a = [[1,2],[3,4]]", "a = {}", "a.matrix = 1", "steps = 3", "rows = [[1]]",
            "record = \"log\"", "x.y.z = 1", "n = 0x10", "n = 1979-05-27", "d = 1e400", "\"\" = 1", "a = {", "]",
        ]), 0..14),
        change in "\\PC{0,12}=\\PC{0,12}",
    ) {
        for text in [noise, lines.join("\n")] {
            let overrides: Vec<Override> = Override::set(&change).into_iter().collect();
            for overrides in [&[][..], &overrides[..]] {
                if let Err(error) = Config::parse(&text, "c", "c", Path::new("/nowhere"), overrides) {
                    prop_assert!(!error.to_string().contains('\n'), "{}", error);
                }
            }
        }
    }
}
