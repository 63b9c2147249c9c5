// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which file of a crate uses which, as its paths say.
//!
//! A file is a module with all that is written inline in it. It uses the file that defines
//! what a path of it names: a path through a module that only re-exports leads to where the
//! name is defined. Paths are those of the syntax tree, and of the tokens of macros and
//! attributes, which are not parsed further.
//!
//! What does not count: a `pub use` in the root of a crate, which is the crate's face and
//! not a use, unless code of the root has the name, too; and code for `#[cfg(test)]` beside
//! what it tests, which may use all of it. A `pub use` in any other module counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprCall, ForeignItem, Item, ItemMod, ItemUse, Meta, UseTree, Visibility,
};

/// The names that lead to a module, from the root of the crate, or to something in it.
type Names = Vec<String>;

/// The files of a crate, and which of them each uses.
#[derive(Debug)]
pub struct Files {
    /// Each file and those that it uses, itself not among them.
    pub uses: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// Where each module is written.
    pub modules: BTreeMap<Names, PathBuf>,
    /// The types that each module defines, among other things.
    items: BTreeMap<Names, BTreeSet<String>>,
}

impl Files {
    /// Those of the crate whose root is at `root`.
    pub fn of(root: &Path) -> Self {
        let mut parser = Parser::default();
        let folder = root.parent().unwrap();
        parser.file(root.to_owned(), Vec::new(), folder.to_owned());
        let modules = parser.modules;
        let mut uses: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (at, module) in &modules {
            let used = uses.entry(module.file.clone()).or_default();
            used.extend(module.used(at, &modules).into_iter().map(|at| modules[&at].file.clone()));
            used.remove(&module.file);
        }
        let file = |(at, module): (&Names, &Module)| (at.clone(), module.file.clone());
        let files = modules.iter().map(file).collect();
        let items = modules.into_iter().map(|(at, module)| (at, module.items)).collect();
        Self { uses, modules: files, items }
    }

    /// Whether the module defines something of this name.
    pub fn defines(&self, module: &Names, name: &str) -> bool {
        self.items.get(module).is_some_and(|items| items.contains(name))
    }

    /// Sets of files of which each uses all others, by way of some of them.
    pub fn circles(&self) -> BTreeSet<BTreeSet<&PathBuf>> {
        let reached: BTreeMap<_, _> =
            self.uses.keys().map(|file| (file, self.from(file))).collect();
        let circle = |file: &PathBuf| {
            let others = reached[file].iter().copied();
            others.filter(|other| reached[other].contains(file)).collect::<BTreeSet<_>>()
        };
        self.uses.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
    }

    /// All that `file` uses, and that uses, and so on.
    fn from(&self, file: &PathBuf) -> BTreeSet<&PathBuf> {
        let mut reached = BTreeSet::new();
        let mut left: Vec<_> = self.uses[file].iter().collect();
        while let Some(next) = left.pop() {
            if reached.insert(next) {
                left.extend(&self.uses[next]);
            }
        }
        reached
    }
}

/// What is in a module.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    /// The names of what it defines.
    items: BTreeSet<String>,
    /// The names that it imports, and what they are there.
    imports: BTreeMap<String, Vec<Names>>,
    /// What it imports all names of.
    globs: Vec<Names>,
    /// What it imports and does not re-export.
    private: Vec<Names>,
    /// What it re-exports.
    public: Vec<Names>,
    /// The paths in its code.
    paths: BTreeSet<Names>,
    /// The macros that its code uses by their names alone.
    macros: BTreeSet<String>,
    /// The macros that it defines by `macro_rules!`.
    macro_rules: BTreeSet<String>,
}

type Modules = BTreeMap<Names, Module>;

/// Where something is defined.
enum Place {
    /// In this module, or it is the module.
    In(Names),
    /// In another crate.
    Outside,
    /// It should be in this module: a macro may make it.
    Unknown(Names),
}

impl Module {
    /// The modules that this one, which is at `at`, uses.
    fn used(&self, at: &Names, modules: &Modules) -> Vec<Names> {
        let is_root = at.is_empty();
        let imports = self.private.iter().chain(self.public.iter().filter(|_| !is_root));
        // What is called may be a local variable with the name of a module.
        let code = self.paths.iter().filter(|path| {
            let is_module =
                |name: &String| modules.contains_key(&join(at, std::slice::from_ref(name)));
            path.len() > 1 || !path.iter().any(is_module)
        });
        let places = imports.chain(code).filter_map(|path| match find(modules, at, path) {
            Place::In(module) | Place::Unknown(module) => Some(module),
            Place::Outside => None,
        });
        // `macro_rules!` are in scope below where they are, under `#[macro_use]` in all.
        let is_own = |name: &&String| !self.items.contains(*name);
        let macros = self.macros.iter().filter(is_own).flat_map(|name| {
            let defines = |module: &Module| module.macro_rules.contains(name);
            modules.iter().filter(move |(_, module)| defines(module)).map(|(at, _)| at.clone())
        });
        places.chain(macros).collect()
    }

    fn has(&self, at: &Names, name: &String, modules: &Modules) -> bool {
        self.items.contains(name)
            || self.imports.contains_key(name)
            || modules.contains_key(&join(at, std::slice::from_ref(name)))
    }
}

fn join(at: &[String], names: &[String]) -> Names {
    [at, names].concat()
}

/// Where what `path` names in the module `at` is defined.
fn find(modules: &Modules, at: &Names, path: &[String]) -> Place {
    let Some((first, rest)) = path.split_first() else { return Place::Outside };
    match first.as_str() {
        "crate" => find_in(modules, &Vec::new(), rest),
        "self" | "super" => find_in(modules, at, path),
        _ if modules[at].has(at, first, modules) => find_in(modules, at, path),
        _ => Place::Outside,
    }
}

/// Where what `path` names below the module `at` is defined.
fn find_in(modules: &Modules, at: &Names, path: &[String]) -> Place {
    let Some((name, rest)) = path.split_first() else { return Place::In(at.clone()) };
    let child = join(at, std::slice::from_ref(name));
    let module = &modules[at];
    match name.as_str() {
        "self" => return find_in(modules, at, rest),
        "super" => {
            let parent = at.split_last().map_or(&[][..], |(_, parent)| parent);
            return find_in(modules, &parent.to_vec(), rest);
        }
        _ if modules.contains_key(&child) => return find_in(modules, &child, rest),
        _ if module.items.contains(name) => return Place::In(at.clone()),
        _ => {}
    }
    let imports = module.imports.get(name).into_iter().flatten();
    let is_named = imports.clone().next().is_some();
    // What has the name of its crate, as `decode::decode`, is of that crate.
    let imports = imports.filter(|import| import.first() != Some(name));
    let imports = imports.map(|import| join(import, rest));
    let globs = module.globs.iter().filter(|_| !is_named).map(|glob| join(glob, path));
    let mut is_outside = is_named;
    for path in imports.chain(globs) {
        match find(modules, at, &path) {
            Place::In(module) => return Place::In(module),
            Place::Outside => is_outside = true,
            Place::Unknown(_) => {}
        }
    }
    if is_outside { Place::Outside } else { Place::Unknown(at.clone()) }
}

/// Reads the modules of a crate.
#[derive(Debug, Default)]
struct Parser {
    modules: Modules,
    /// The module that is read.
    at: Names,
    /// The file that it is in.
    file: PathBuf,
    /// The folder where its modules have their files.
    folder: PathBuf,
}

impl Parser {
    /// Reads a file, which is the module `at`, and whose modules have their files in
    /// `folder`.
    fn file(&mut self, file: PathBuf, at: Names, folder: PathBuf) {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let (before_at, before_folder) = (self.at.clone(), self.folder.clone());
        let before_file = std::mem::replace(&mut self.file, file);
        (self.at, self.folder) = (at, folder);
        self.module().file = self.file.clone();
        self.visit_file(&syntax);
        (self.at, self.folder, self.file) = (before_at, before_folder, before_file);
    }

    fn module(&mut self) -> &mut Module {
        self.modules.entry(self.at.clone()).or_default()
    }

    /// Takes in the paths in `tokens`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.path(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    let is_second = punct.spacing() == Spacing::Alone && colons == 1;
                    let is_first = punct.spacing() == Spacing::Joint && colons == 0;
                    if is_first && path.is_empty() {
                        // Another crate's.
                        path.push(String::new());
                    }
                    if is_first || is_second {
                        colons += 1;
                        continue;
                    }
                    self.path(std::mem::take(&mut path));
                }
                TokenTree::Punct(punct) => {
                    if let ('!', [name]) = (punct.as_char(), path.as_slice()) {
                        let name = name.clone();
                        self.module().macros.insert(name);
                    }
                    self.path(std::mem::take(&mut path));
                }
                TokenTree::Group(group) => {
                    self.path(std::mem::take(&mut path));
                    self.tokens(group.stream());
                }
                TokenTree::Literal(_) => self.path(std::mem::take(&mut path)),
            }
            colons = 0;
        }
        self.path(std::mem::take(&mut path));
    }

    /// Takes in a path, unless it is a single name in lower case: most are those of variables.
    fn path(&mut self, path: Names) {
        let is_type = |name: &String| name.starts_with(|first: char| first.is_uppercase());
        if path.len() > 1 || path.first().is_some_and(is_type) {
            self.module().paths.insert(path);
        }
    }

    /// Takes in what `tree` imports, after `before`.
    fn imports(&mut self, tree: &UseTree, before: &[String], is_public: bool) {
        let (name, import) = match tree {
            UseTree::Path(path) => {
                let before = join(before, &[path.ident.to_string()]);
                return self.imports(&path.tree, &before, is_public);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.imports(tree, before, is_public));
            }
            UseTree::Glob(_) => {
                self.module().globs.push(before.to_vec());
                (None, before.to_vec())
            }
            UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned(), before.to_vec())
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                (Some(name.clone()), join(before, &[name]))
            }
            UseTree::Rename(rename) => {
                let import = join(before, &[rename.ident.to_string()]);
                (Some(rename.rename.to_string()), import)
            }
        };
        let module = self.module();
        if let Some(name) = name.filter(|name| import.as_slice() != [name.clone()]) {
            module.imports.entry(name).or_default().push(import.clone());
        }
        let imports = if is_public { &mut module.public } else { &mut module.private };
        imports.push(import);
    }
}

impl<'ast> Visit<'ast> for Parser {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Mod(item) => (&item.attrs, None),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Use(item) => (&item.attrs, None),
            _ => return visit::visit_item(self, item),
        };
        let is_file = matches!(item, Item::Mod(item) if item.content.is_none());
        if attributes.iter().any(is_for_test) && !is_file {
            return;
        }
        if let Some(name) = name {
            let name = name.to_string();
            let is_macro = matches!(item, Item::Macro(_));
            self.module().items.insert(name.clone());
            if is_macro {
                self.module().macro_rules.insert(name);
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_foreign_item(&mut self, item: &'ast ForeignItem) {
        let name = match item {
            ForeignItem::Fn(item) => Some(&item.sig.ident),
            ForeignItem::Static(item) => Some(&item.ident),
            ForeignItem::Type(item) => Some(&item.ident),
            _ => None,
        };
        self.module().items.extend(name.map(ToString::to_string));
        visit::visit_foreign_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        let at = join(&self.at, std::slice::from_ref(&name));
        let folder = self.folder.join(&name);
        if item.content.is_some() {
            let before_at = std::mem::replace(&mut self.at, at);
            let before_folder = std::mem::replace(&mut self.folder, folder);
            self.module().file = self.file.clone();
            visit::visit_item_mod(self, item);
            (self.at, self.folder) = (before_at, before_folder);
            return;
        }
        let given = item.attrs.iter().find_map(path_attribute);
        let beside = self.folder.join(format!("{name}.rs"));
        let file = match given {
            Some(path) => self.file.parent().unwrap().join(path),
            None if beside.exists() => beside,
            None => folder.join("mod.rs"),
        };
        let file = file.canonicalize().unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let is_mod_rs = file.ends_with("mod.rs");
        let folder = if is_mod_rs { file.parent().unwrap().to_owned() } else { folder };
        self.file(file, at, folder);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            let is_public = !matches!(item.vis, Visibility::Inherited);
            self.imports(&item.tree, &[], is_public);
        }
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.path(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func {
            let name = function.path.get_ident().map(|name| vec![name.to_string()]);
            self.module().paths.extend(name);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        self.module().macros.extend(invoked.path.get_ident().map(ToString::to_string));
        self.tokens(invoked.tokens.clone());
        visit::visit_macro(self, invoked);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) => self.tokens(list.tokens.clone()),
            meta => visit::visit_meta(self, meta),
        }
    }
}

/// Whether what has this attribute is there for tests alone.
fn is_for_test(attribute: &Attribute) -> bool {
    let is_test = |list: &syn::MetaList| list.tokens.to_string() == "test";
    attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok_and(is_test)
}

/// The path that an attribute gives a module.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(value) = &pair.value else { return None };
    match &value.lit {
        syn::Lit::Str(path) if attribute.path().is_ident("path") => Some(path.value()),
        _ => None,
    }
}
